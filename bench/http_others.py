"""Other servers with the same LightGBM: two jobs, what serves them, and what they are asked.

``whole`` is our own job: a raw row in, with its words and missing values, the same probability out.
A scikit-learn pipeline does it, as people deploy one: an ``OrdinalEncoder`` for the words, numbers
passed through, an ``LGBMClassifier``. It is fitted in the other environment, with the words in our
order; then it gets our trees, so that each answer equals ours. ``numbers`` is less work: the client
sends features that were encoded beforehand, and the native booster is called.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.http_models import ASKED, chosen

WHOLE, NUMBERS = "whole", "numbers"
FITTED = 2_000  # rows that a pipeline is fitted to before it gets our trees
Row = Mapping[str, Any]

PIPELINE = """
import json, joblib, lightgbm, numpy as np, pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OrdinalEncoder
given = json.load(open("given.json"))
frame = pd.DataFrame(given["rows"])
encoder = OrdinalEncoder(categories=list(given["levels"].values()),
                         handle_unknown="use_encoded_value", unknown_value=np.nan)
pipeline = Pipeline([
    ("columns", ColumnTransformer([("words", encoder, list(given["levels"])),
                                   ("numbers", "passthrough", given["numbers"])])),
    ("trees", lightgbm.LGBMClassifier(n_estimators=1, n_jobs=1, verbosity=-1)),
]).fit(frame, given["target"])
pipeline["trees"]._Booster = lightgbm.Booster(model_file="model.txt")
joblib.dump(pipeline, "pipeline.joblib")
"""
# what a service of a pipeline does; a number that is missing must not make a column of objects
ASK_PIPELINE = """
import json, joblib, math, pandas as pd, typing
NUMBERS = json.load(open("given.json"))["numbers"]
def share(pipeline, row):
    for name in NUMBERS:
        if row[name] is None:
            row[name] = math.nan
    return float(pipeline.predict_proba(pd.DataFrame([row]))[0, 1])
"""
BENTOML = {
    NUMBERS: """
import bentoml, lightgbm, numpy as np
@bentoml.service(workers=1)
class Churn:
    def __init__(self):
        self.booster = lightgbm.Booster(model_file="model.txt")
    @bentoml.api
    def predict(self, row: list[float]) -> float:
        return float(self.booster.predict(np.array([row]), num_threads=1)[0])
""",
    WHOLE: ASK_PIPELINE
    + """
import bentoml
@bentoml.service(workers=1)
class Churn:
    def __init__(self):
        self.pipeline = joblib.load("pipeline.joblib")
    @bentoml.api
    def predict(self, row: dict[str, typing.Any]) -> float:
        return share(self.pipeline, row)
""",
}
LITSERVE_RUNS = """
if __name__ == "__main__":
    server = litserve.LitServer(Churn(), accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), num_api_servers=1, log_level="error",
               generate_client_file=False)
"""
LITSERVE = {
    NUMBERS: """
import sys, lightgbm, litserve, numpy as np
class Churn(litserve.LitAPI):
    def setup(self, device):
        self.booster = lightgbm.Booster(model_file="model.txt")
    def decode_request(self, request):
        return np.array([request["row"]])
    def predict(self, row):
        return self.booster.predict(row, num_threads=1)
    def encode_response(self, found):
        return {"probability": float(found[0])}
"""
    + LITSERVE_RUNS,
    WHOLE: ASK_PIPELINE
    + """
import sys, litserve
class Churn(litserve.LitAPI):
    def setup(self, device):
        self.pipeline = joblib.load("pipeline.joblib")
    def decode_request(self, request):
        return request["row"]
    def predict(self, row):
        return share(self.pipeline, row)
    def encode_response(self, found):
        return {"probability": found}
"""
    + LITSERVE_RUNS,
}
MLFLOW = {
    NUMBERS: """
import lightgbm, mlflow.lightgbm
mlflow.lightgbm.save_model(lightgbm.Booster(model_file="model.txt"), "mlflow-model")
""",
    WHOLE: """
import json, joblib, mlflow.sklearn, pandas as pd
from mlflow.models import infer_signature
mlflow.sklearn.save_model(
    joblib.load("pipeline.joblib"), "mlflow-model", pyfunc_predict_fn="predict_proba",
    serialization_format="cloudpickle",
    signature=infer_signature(pd.DataFrame(json.load(open("given.json"))["rows"])),
)
""",
}


@dataclass(frozen=True, slots=True)
class Other:
    """Another server at one job.

    ``arguments`` follow its environment's ``bin``; ``script`` is written as ``service.py`` beside
    the model, ``wrapped`` makes the body of a row, ``found`` leads to the probability in an answer.
    ``packed`` says that the script packs the model before the server is started.
    """

    packages: tuple[str, ...]
    arguments: tuple[str, ...]
    path: str
    script: str
    wrapped: Callable[[Any], Any]
    found: tuple[str | int, ...]
    packed: bool = False

    def environment(self, name: str) -> str:
        """The environment of the server ``name`` at this job: MLflow has all in any case."""
        return f"{name}-pipeline" if "scikit-learn" in self.packages and not self.packed else name

    def share(self, answer: bytes) -> float:
        """The probability of the second class in an answer."""
        return share_in(answer, self.found)


def others(job: str) -> dict[str, Other]:
    """The servers at a job, by name."""
    whole = job == WHOLE
    trees = ("lightgbm==4.7.0", "numpy", *(("pandas", "scikit-learn") if whole else ()))
    return {
        "litserve": Other(
            ("litserve", *trees), ("python", "service.py", "{port}"), "/predict", LITSERVE[job],
            _as_row, ("probability",),
        ),
        "bentoml": Other(
            ("bentoml", *trees),
            ("bentoml", "serve", "service:Churn", "--host", "127.0.0.1", "--port", "{port}"),
            "/predict", BENTOML[job], _as_row, (),
        ),
        "mlflow": Other(
            ("mlflow", *trees),
            ("mlflow", "models", "serve", "-m", "mlflow-model", "-h", "127.0.0.1", "-p", "{port}",
             "--env-manager", "local", "--workers", "1"),
            "/invocations", MLFLOW[job],
            (lambda row: {"dataframe_records": [row]}) if whole else lambda row: {"inputs": [row]},
            ("predictions", 0, 1) if whole else ("predictions", 0), True,
        ),
    }  # fmt: skip


def share_in(answer: bytes, found: Sequence[str | int]) -> float:
    """The number to which keys and places lead in a body of JSON.

    Examples
    --------
    >>> share_in(b'{"predictions": [[0.75, 0.25]]}', ("predictions", 0, 1))
    0.25
    """
    said = json.loads(answer)
    for step in found:
        said = said[step]
    return float(said)


@dataclass(frozen=True, slots=True)
class Job:
    """What is asked in a job: raw rows for us, and what the others get for each of them."""

    name: str
    raw: list[dict[str, Any]]
    theirs: list[Any]


def job_of(name: str, learner: Any) -> Job:
    """The rows of a job; in ``whole`` one in five lacks a number or a word."""
    table = chosen().table
    some = np.arange(FITTED)
    matrix = learner.plan_.transform(table.take(some))
    whole = some[~np.isnan(matrix).any(axis=1)][:ASKED]
    rows = table.take(whole).frame.to_dicts()
    if name == NUMBERS:
        return Job(name, rows, matrix[whole].tolist())
    words, numbers = columns_of(learner)
    vocabularies = [name for name in words if name in learner.plan_.vocabularies]
    for at, row in enumerate(rows):
        if at % 10 == 0:
            row[numbers[-1]] = None
        if at % 10 == 5:
            row[vocabularies[at % len(vocabularies)]] = None
    return Job(name, rows, rows)


def columns_of(learner: Any) -> tuple[dict[str, list[Any]], list[str]]:
    """Columns of words with their levels in the order of our codes, and columns of numbers."""
    plan = learner.plan_
    words: dict[str, list[Any]] = {}
    numbers: list[str] = []
    for one in plan.inputs:
        if one.kind == "number":
            numbers.append(one.name)
        elif one.kind == "boolean":
            words[one.name] = [False, True]
        else:
            words[one.name] = list(plan.vocabularies[one.name])
    return words, numbers


def written(folder: Path, job: str, learner: Any) -> None:
    """Write what a server of a job needs into its folder: the trees and, for a pipeline, rows."""
    text = learner.booster_.model_to_string()
    if job == NUMBERS:
        (folder / "model.txt").write_text(text)
        return
    words, numbers = columns_of(learner)
    given = chosen()
    names = list(learner.plan_.names)
    (folder / "model.txt").write_text(reordered(text, [names.index(n) for n in [*words, *numbers]]))
    frame = given.table.frame.head(FITTED)
    target = [int(second) for second in given.second[:FITTED]]
    told = {"rows": frame.to_dicts(), "target": target, "levels": words, "numbers": numbers}
    (folder / "given.json").write_text(json.dumps(told))


def reordered(text: str, order: Sequence[int]) -> str:
    """A LightGBM model for a matrix whose column ``i`` is column ``order[i]`` of the old one.

    Examples
    --------
    >>> reordered("feature_infos=a b c\\nsplit_feature=0 2 1\\n", [2, 0, 1])
    'feature_infos=c a b\\nsplit_feature=1 0 2\\n'
    """
    place = {old: new for new, old in enumerate(order)}

    def split(found: re.Match[str]) -> str:
        return "split_feature=" + " ".join(str(place[int(old)]) for old in found[1].split())

    def infos(found: re.Match[str]) -> str:
        each = found[1].split(" ")
        return "feature_infos=" + " ".join(each[old] for old in order)

    # where each tree begins in the file is optional, and no longer true
    text = re.sub(r"(?m)^tree_sizes=.*\n", "", text)
    text = re.sub(r"(?m)^split_feature=(.*)$", split, text)
    return re.sub(r"(?m)^feature_infos=(.*)$", infos, text)


def _as_row(row: Any) -> dict[str, Any]:
    return {"row": row}
