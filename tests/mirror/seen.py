"""What a real MLflow server has of one store."""

from __future__ import annotations

from collections import Counter
from typing import Any

from everfit.house import House
from everfit.mirror.outbox import Outbox

ITEM = "everfit.item"


class Seen:
    """What the server has of the store of ``house``."""

    def __init__(self, uri: str, house: House) -> None:
        import mlflow  # not everyone who collects tests has it

        self.client = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
        self.store = Outbox(house, uri).store_id()

    def runs(self, where: str = "") -> list[Any]:
        found = self.client.get_experiment_by_name("everfit/tumours")
        if found is None:
            return []
        runs = self.client.search_runs([found.experiment_id], where, max_results=1000)
        return [run for run in runs if run.data.tags[ITEM].startswith(self.store)]

    def run(self, item: str) -> Any:
        return next(run for run in self.runs() if run.data.tags[ITEM] == f"{self.store}/{item}")

    def items(self) -> Counter[str]:
        return Counter(run.data.tags[ITEM].partition("/")[2] for run in self.runs())

    def name(self) -> str:
        """The name of the registered model: others may have been here first."""
        for model in self.client.search_registered_models():
            if model.tags.get("everfit.store") == self.store:
                return str(model.name)
        return ""

    def versions(self) -> list[Any]:
        found = self.client.search_model_versions(f"name='{self.name()}'")
        return sorted(found, key=lambda version: int(version.version))

    def aliases(self) -> dict[str, str]:
        model = self.client.get_registered_model(self.name())
        ours = {v.version: v.tags["everfit.version"] for v in self.versions()}
        return {alias: ours[number] for alias, number in model.aliases.items()}


def expected_items(house: House) -> dict[str, int]:
    study = house.result("tumours")["study"]
    begun = [trial["number"] for trial in study["trials"] if trial["status"] != "skipped"]
    return dict.fromkeys(["tumours/1", *(f"tumours/1/{number}" for number in begun)], 1)
