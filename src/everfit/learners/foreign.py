"""A user's own model: any scikit-learn-compatible estimator."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from everfit.data.table import Table
from everfit.encoders.table import FeaturePlan
from everfit.errors import ArtefactRefused, LearnerFailed, SourceMissing, UsageError, near
from everfit.events import Event, Past, Reads
from everfit.learners.contract import FitBudget, History
from everfit.learners.link import Link, encode, to_answers
from everfit.learners.reading import takes, takes_history, takes_none
from everfit.learners.rounds import Slot, check
from everfit.learners.source import import_file, is_trusted, sha256, sources
from everfit.records import Array, Form

PLAIN: Link = {"kind": "identity", "scale": 1.0, "shift": 0.0, "inverse": "none"}


class Foreign:
    """A scikit-learn estimator in the race, on one of our views.

    ``fit(X, y)`` gets a float64 matrix and class codes or numbers; ``predict_proba`` is required
    for probabilities, ``predict`` for numbers. It is stored with skops, without pickle, and its
    source file is stored beside it.

    Parameters
    ----------
    source : ``path.py:ClassName``, ``entry:name`` (entry-point group ``everfit.learners``), or
        ``scratch:path`` as :func:`carry` gives for an instance
    settings : keywords for the class; those of an instance are its own
    view : "dense" (filled, scaled, one-hot), "codes" or "engineered"
    modules : files to import first, by module name, as :func:`carry` gives
    history : key and number of events, as :func:`everfit.learners.reading.declared` gives; then
        ``predict`` and ``predict_proba`` take ``history``, and ``fit`` too if it has that argument
    """

    name: str = "foreign"
    engine: ClassVar[str] = "estimator"
    forms: tuple[Form, ...] = ("probabilities", "values")

    def __init__(
        self,
        *,
        source: str,
        settings: Mapping[str, Any] | None = None,
        view: str = "dense",
        modules: Mapping[str, str] | None = None,
        history: Mapping[str, Any] | None = None,
    ) -> None:
        self.source, self.settings, self.view, self.modules = source, settings, view, modules
        self.history = history

    @property
    def reads(self) -> Reads | None:
        """Which history the estimator reads; None when it reads none."""
        return Reads.of(self.history)

    def fit(self, history: History, budget: FitBudget) -> Foreign:
        """Fit the estimator. It cannot be stopped from here; its process can.

        Raises
        ------
        LearnerFailed : it raised, or cannot answer in the form asked for
        """
        from threadpoolctl import threadpool_limits

        slot = Slot(budget)
        check(history)
        self.model_ = bring(self.source, self.settings or {}, self.modules or {})
        codes = history.form == "probabilities"
        verb = "predict_proba" if codes else "predict"
        _need_verb(self.model_, verb)
        if self.reads is not None and not takes_history(self.model_, verb):
            raise takes_none(self.model_, verb)
        self.plan_, matrix = encode(history, self.view)
        slot.need(0.0, "making the features")
        target = history.target.astype(np.int64) if codes else history.target
        _seed(self.model_, history.seed)
        more: dict[str, Any] = {}
        if history.weight is not None and takes(self.model_.fit, "sample_weight"):
            more["sample_weight"] = history.weight
        if self.reads is not None and takes_history(self.model_, "fit"):
            more["history"] = history.past or _none(len(matrix))
        try:
            with threadpool_limits(budget.threads):
                self.model_.fit(matrix, target, **more)
        except Exception as error:
            # a user's code may raise anything; it must become a failed trial, not a failed run
            raise LearnerFailed(
                f"{_name(self.model_)} raised while fitting",
                got=f"{type(error).__name__}: {error}",
                expected=f"fit(X {matrix.shape}, y {target.shape}) to work",
                do="try it on a few rows by hand",
            ) from error
        self.n_outputs_, self.form_ = history.n_outputs, history.form
        self.facts_: Mapping[str, Any] = {
            "stopped": "end",
            "features": matrix.shape[1],
            "settings": {},
            "weights": "none"
            if history.weight is None
            else "used"
            if "sample_weight" in more
            else "ignored",
        }
        return self

    def answer(self, asks: Table, past: Past | None = None) -> Array:
        """Answers for each row: float64 (n, n_outputs); ``past`` where the estimator reads it.

        Raises
        ------
        LearnerFailed : the estimator raised, or answered something that is no answer
        """
        matrix = self.plan_.transform(asks)
        verb = "predict_proba" if self.form_ == "probabilities" else "predict"
        more: dict[str, Any] = {}
        if (reads := self.reads) is not None:
            known = _none(len(matrix)) if past is None else past
            more["history"] = [list(events[-reads.events :]) for events in known]
        try:
            given = np.asarray(getattr(self.model_, verb)(matrix, **more), dtype=np.float64)
        except Exception as error:
            # as for fit
            raise LearnerFailed(
                f"{_name(self.model_)} raised while answering",
                got=f"{type(error).__name__}: {error}",
                expected=f"{verb}(X) to work",
                do="try it on a few rows by hand",
            ) from error
        if self.form_ == "values":
            answers = to_answers(given, PLAIN, None)
        else:
            # columns stand as classes_ says; classes that no row had get 0
            classes = np.asarray(self.model_.classes_, dtype=np.int64)
            answers = np.zeros((matrix.shape[0], self.n_outputs_))
            answers[:, classes] = given
            answers /= np.maximum(answers.sum(axis=1, keepdims=True), 1e-300)
        if answers.shape != (matrix.shape[0], self.n_outputs_) or not np.isfinite(answers).all():
            raise LearnerFailed(
                f"{_name(self.model_)} gave answers that cannot be used",
                got=f"shape {answers.shape}, {int((~np.isfinite(answers)).sum())} not finite",
                expected=f"finite values, shape {(matrix.shape[0], self.n_outputs_)}",
                do="look at what it gives for a few rows",
            )
        return answers

    def save(self, folder: Path) -> Mapping[str, Any]:
        """Write ``estimator.skops``, the user's source under ``code/``, and the feature plan.

        Raises
        ------
        LearnerFailed : it holds types that are neither scikit-learn's nor the user's own
        """
        import skops.io

        self.plan_.save(folder)
        path, code = folder / "estimator.skops", sources(self.model_)
        try:
            skops.io.dump(self.model_, path)
            unknown = skops.io.get_untrusted_types(file=path)
        except Exception as error:
            # skops raises what the foreign object raises while it is walked
            raise LearnerFailed(
                f"{_name(self.model_)} cannot be stored",
                got=f"{type(error).__name__}: {error}",
                expected="an object that skops can write",
                do="keep plain numbers, arrays and scikit-learn objects as attributes",
            ) from error
        own = {type(self.model_).__module__, *code}
        refused = [name for name in unknown if not is_trusted(name, own)]
        if refused:
            raise LearnerFailed(
                f"{_name(self.model_)} holds types that are not trusted",
                got=", ".join(refused),
                expected=f"types of scikit-learn, numpy, scipy or {', '.join(sorted(own))}",
                do="keep plain numbers, arrays and scikit-learn objects as attributes",
            )
        hashes = {f"code/{module}.py": sha256(text) for module, text in code.items()}
        for module, text in code.items():
            (folder / "code").mkdir(exist_ok=True)
            (folder / "code" / f"{module}.py").write_bytes(text)
        known = self.model_.classes_ if self.form_ == "probabilities" else []
        history = {} if self.reads is None else {"history": self.reads.as_dict()}
        return history | {
            "engine": self.engine,
            "files": ["estimator.skops", *hashes],
            "trusted": unknown,
            "code": hashes,
            "features": "features.json",
            "link": dict(PLAIN),
            "form": self.form_,
            "n_outputs": self.n_outputs_,
            "classes": [int(code) for code in known],
        }

    @classmethod
    def load(cls, folder: Path, part: Mapping[str, Any]) -> Foreign:
        """The inverse of :meth:`save`; imports the stored source first.

        Raises
        ------
        ArtefactRefused : a source file is not the one that was stored
        """
        import skops.io

        for name, known in part["code"].items():
            path = folder / name
            found = sha256(path.read_bytes()) if path.is_file() else "no file"
            if found != known:
                raise ArtefactRefused(
                    f"{name} is not the file that was stored",
                    got=found, expected=known, do="roll back to another version",
                )  # fmt: skip
            import_file(path, path.stem)
        learner = cls(source="stored", history=part.get("history"))
        learner.model_ = skops.io.load(folder / "estimator.skops", trusted=part["trusted"])
        learner.plan_, learner.facts_ = FeaturePlan.load(folder), {}
        learner.form_, learner.n_outputs_ = part["form"], part["n_outputs"]
        return learner


def carry(estimator: Any, folder: Path) -> dict[str, Any]:
    """Settings of a :class:`Foreign` for an instance, which is written into ``folder``.

    The file is scratch for the worker processes of one run (cloudpickle); no version holds it.

    Raises
    ------
    UsageError : it is no estimator, or its class lives in ``__main__``
    """
    import cloudpickle

    for verb in ("fit", "predict"):
        if isinstance(estimator, type) or not callable(getattr(estimator, verb, None)):
            raise UsageError(
                f"{_name(estimator)} is no estimator: it has no {verb}",
                got=repr(estimator)[:80],
                expected="an object with fit(X, y) and predict or predict_proba",
                do="give an instance, not a class or a function",
            )
    if type(estimator).__module__ == "__main__":
        raise UsageError(
            f"the class {type(estimator).__name__} lives in __main__",
            got="__main__",
            expected="a class in a file of its own, which other processes can import",
            do="put the class into a file, say mymodel.py, and give 'mymodel.py:"
            f"{type(estimator).__name__}'",
        )
    data = cloudpickle.dumps(estimator)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"estimator-{sha256(data)[:16]}.pkl"
    path.write_bytes(data)
    modules = {}
    for module, text in sources(estimator).items():
        copy = folder / f"{module}-{sha256(text)[:16]}.py"
        copy.write_bytes(text)
        modules[module] = str(copy)
    return {"source": f"scratch:{path}", "modules": modules}


def bring(source: str, settings: Mapping[str, Any], modules: Mapping[str, str]) -> Any:
    """A fresh, unfitted estimator from where ``source`` says.

    Raises
    ------
    SourceMissing : there is no such file
    UsageError : there is no such class or entry point, or it does not take ``settings``
    """
    kind, _, place = source.partition(":")
    if kind == "scratch":
        import cloudpickle
        from sklearn.base import clone

        for module, path in modules.items():
            # a worker does not have the caller's sys.path
            import_file(Path(path), module)
        return clone(cloudpickle.loads(Path(place).read_bytes()), safe=False)
    cls = _entry(place) if kind == "entry" else _from_file(source)
    try:
        return cls(**settings)
    except TypeError as error:
        raise UsageError(
            f"{source} cannot be made",
            got=str(error),
            expected="a class that takes " + (", ".join(settings) if settings else "no arguments"),
            do="give defaults to its arguments",
        ) from error


def _entry(name: str) -> Any:
    for point in entry_points(group="everfit.learners"):
        if point.name == name:
            return point.load()
    raise UsageError(
        f"no installed package offers the learner {name!r}",
        got=repr(name),
        expected=", ".join(p.name for p in entry_points(group="everfit.learners")) or "(none)",
        do="install the package that has it",
    )


def _from_file(source: str) -> Any:
    place, _, name = source.rpartition(":")
    path = Path(place)
    if not place or not name.isidentifier():
        raise UsageError(
            "a learner of your own cannot be found",
            got=repr(source),
            expected="path.py:ClassName",
            do="for example mymodel.py:MyClassifier",
        )
    if not path.is_file():
        raise SourceMissing(
            f"there is no file {place}",
            got=repr(source),
            expected="path.py:ClassName",
            do="check the path",
        )
    # a name of its own, so that no installed module is hidden by the user's file
    module = import_file(path, f"everfit_code_{path.stem}_{sha256(path.read_bytes())[:8]}")
    if not hasattr(module, name):
        classes = [n for n, item in vars(module).items() if inspect.isclass(item)]
        hint = near(name, classes)
        raise UsageError(
            f"{place} has no class {name!r}",
            got=", ".join(classes) or "no class",
            expected=f"class {name}",
            do=f"did you mean {hint}?" if hint else "give one of these",
        )
    return getattr(module, name)


def _none(n: int) -> list[list[Event]]:
    return [[] for _ in range(n)]


def _need_verb(estimator: Any, verb: str) -> None:
    if not hasattr(estimator, verb):
        probable = verb == "predict_proba"
        wrapped = "wrap it in sklearn.calibration.CalibratedClassifierCV"
        raise LearnerFailed(
            f"{_name(estimator)} has no {verb}",
            got=_name(estimator),
            expected=f"an estimator with fit and {verb}",
            do=wrapped if probable else "give a regressor",
        )


def _seed(estimator: Any, seed: int) -> None:
    """Give the study's seed to an estimator that has none of its own."""
    if hasattr(estimator, "get_params") and hasattr(estimator, "set_params"):
        free = {
            name: seed
            for name, value in estimator.get_params(deep=True).items()
            if name.split("__")[-1] == "random_state" and value is None
        }
        if free:
            estimator.set_params(**free)


def _name(estimator: Any) -> str:
    return type(estimator).__name__
