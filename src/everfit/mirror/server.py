"""An MLflow server, told about our records so that the same may be told twice without effect.

Before anything is made, what has our tag ``everfit.item`` is looked for. A name that belongs to
another store, or to somebody's own model, is left alone: ours then gets the store's id behind it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from everfit.errors import SettingsError, Unreachable
from everfit.mirror.facts import ITEM, STORE, Facts

PARENT, RUN_NAME = "mlflow.parentRunId", "mlflow.runName"
ENDED = ("FINISHED", "FAILED", "KILLED")
PARAMS_AT_ONCE, METRICS_AT_ONCE, TAGS_AT_ONCE = 100, 1_000, 100
PAGE = 1_000
# The mirror has its own patience. MLflow's default is seven repetitions over several minutes, and
# a repeated request whose first answer got lost would make a second run.
SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT": "120",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


class Server:
    """One MLflow server as one store sees it; ``store`` is the id of that store.

    All calls must be made while ``SETTINGS`` hold, see :func:`everfit.export.mlflow.settings`.

    Raises
    ------
    SettingsError : MLflow is not installed
    """

    def __init__(self, uri: str, store: str) -> None:
        try:
            import mlflow
        except ImportError as error:
            raise missing(error) from error
        registry = os.environ.get("MLFLOW_REGISTRY_URI") or uri
        self._client = mlflow.MlflowClient(tracking_uri=uri, registry_uri=registry)
        self._store = store
        self._experiments: dict[str, str] = {}
        self._children: dict[str, list[Any]] = {}

    def run(self, item: str, model: str, facts: Facts) -> str:
        """The id of the run of ``item``, still open, with all that is said about it."""
        experiment, tag = self._experiment(model), self._tag(item)
        found = self._runs(experiment, f"tags.`{ITEM}` = '{tag}'")
        return self._made(experiment, facts, {ITEM: tag, STORE: self._store}, found)

    def trial(self, item: str, model: str, parent: str, facts: Facts) -> str:
        """The id of the run of ``item`` below ``parent``, closed; one that is whole stays as is."""
        experiment, tag = self._experiment(model), self._tag(item)
        if parent not in self._children:
            # asked for once, and not for each of them
            runs = self._runs(experiment, f"tags.`{PARENT}` = '{parent}'")
            self._children = {parent: runs}
        found = [run for run in self._children[parent] if run.data.tags.get(ITEM) == tag]
        if found and found[0].info.status in ENDED:
            return str(found[0].info.run_id)
        run = self._made(experiment, facts, {ITEM: tag, PARENT: parent}, found)
        self.end(run, facts)
        return run

    def end(self, run: str, facts: Facts) -> None:
        """Close a run."""
        self._client.set_terminated(run, facts.state, facts.ended_ms)

    def upload(self, run: str, folder: Path, path: str) -> None:
        """Put the files of ``folder`` below ``path`` among the artifacts of a run."""
        self._client.log_artifacts(run, str(folder), path)

    def version(
        self, item: str, model: str, run: str, path: str, said: tuple[Mapping[str, str], str]
    ) -> str:
        """``name/number`` of the registered version of ``item``, whose files lie at ``path``.

        ``said`` are its tags and its description.
        """
        name, tags = self.registered(model), {ITEM: self._tag(item), **said[0]}
        for known in self._versions(name):
            if known.tags.get(ITEM) == tags[ITEM]:
                for key, value in tags.items():
                    self._client.set_model_version_tag(name, known.version, key, value)
                return f"{name}/{known.version}"
        root = self._client.get_run(run).info.artifact_uri
        made = self._client.create_model_version(
            name,
            f"{root.rstrip('/')}/{path}",
            run,
            tags=tags,
            description=said[1],
            await_creation_for=None,
        )
        return f"{name}/{made.version}"

    def note(self, name: str, number: str, key: str, value: str) -> None:
        """Set a tag of a registered version."""
        self._client.set_model_version_tag(name, number, key, value)

    def alias(self, name: str, alias: str, number: str | None) -> None:
        """Let an alias of the registered model ``name`` point to a version, or to none."""
        if number is not None:
            self._client.set_registered_model_alias(name, alias, number)
        else:
            self._client.delete_registered_model_alias(name, alias)

    def _tag(self, item: str) -> str:
        return f"{self._store}/{item}"

    def _experiment(self, model: str) -> str:
        """The id of the experiment of a model, made when it is not there."""
        if model in self._experiments:
            return self._experiments[model]
        name = f"everfit/{model}"
        found = self._client.get_experiment_by_name(name)
        if found is None:
            identity = self._client.create_experiment(name, tags={STORE: self._store})
        else:
            identity = found.experiment_id
            if found.lifecycle_stage == "deleted":
                self._client.restore_experiment(identity)
        self._experiments[model] = str(identity)
        return str(identity)

    def _runs(self, experiment: str, where: str) -> list[Any]:
        """Runs that are not deleted, oldest first."""
        found: list[Any] = []
        token = None
        while True:
            page = self._client.search_runs(
                [experiment], where, max_results=PAGE, order_by=["attributes.start_time"],
                page_token=token,
            )  # fmt: skip
            found += page
            token = page.token
            if not token:
                return found

    def _made(
        self, experiment: str, facts: Facts, tags: Mapping[str, str], found: Sequence[Any]
    ) -> str:
        """The oldest of the runs ``found``, else a new one, with all that is said about it."""
        for extra in found[1:]:
            # a slow server may have made it after we gave up waiting
            self._client.delete_run(extra.info.run_id)
        if found:
            run = found[0]
        else:
            # the tags travel with the run: there is no moment in which a run of ours has none
            all_tags = {RUN_NAME: facts.name, **tags}
            run = self._client.create_run(experiment, facts.started_ms, all_tags)
        self._say(run.info.run_id, facts)
        return str(run.info.run_id)

    def _say(self, run: str, facts: Facts) -> None:
        """Log everything about a run; the same again is the same, for MLflow too."""
        from mlflow.entities import Metric, Param, RunTag

        at = facts.ended_ms
        metrics = [Metric(name, value, at, step) for name, value, step in facts.metrics]
        params = [Param(name, value) for name, value in facts.params.items()]
        tags = [RunTag(name, value) for name, value in facts.tags.items()]
        parts = zip_parts(
            (metrics, METRICS_AT_ONCE - PARAMS_AT_ONCE - TAGS_AT_ONCE),
            (params, PARAMS_AT_ONCE),
            (tags, TAGS_AT_ONCE),
        )
        for some_metrics, some_params, some_tags in parts:
            self._client.log_batch(run, some_metrics, some_params, some_tags)

    def registered(self, model: str) -> str:
        """The name under which this store's ``model`` is registered, made when it is not there."""
        for name in (model, f"{model}-{self._store}"):
            owner = self._owner(name)
            if owner is None:
                tags = {STORE: self._store, "everfit.model": model}
                self._client.create_registered_model(name, tags, f"Mirrored from Everfit: {model}")
                return name
            if owner == self._store:
                return name
        raise Unreachable(f"the names {model!r} and {name!r} are both taken by others")

    def _owner(self, name: str) -> str | None:
        """The id of the store that a registered model belongs to; empty: not ours, None: free."""
        from mlflow.exceptions import MlflowException

        try:
            return str(self._client.get_registered_model(name).tags.get(STORE, ""))
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None

    def _versions(self, name: str) -> Iterator[Any]:
        token = None
        while True:
            page = self._client.search_model_versions(
                f"name='{name}'", max_results=PAGE, page_token=token
            )
            yield from page
            token = page.token
            if not token:
                return


def zip_parts(*lists: tuple[Sequence[Any], int]) -> Iterator[tuple[list[Any], ...]]:
    """Lists cut side by side into parts of at most so many each.

    Examples
    --------
    >>> list(zip_parts(([1, 2, 3], 2), (["a"], 5)))
    [([1, 2], ['a']), ([3], [])]
    """
    at = 0
    while any(at * most < len(items) for items, most in lists):
        yield tuple(list(items[at * most : (at + 1) * most]) for items, most in lists)
        at += 1


def missing(error: ImportError) -> SettingsError:
    """The error for an environment without MLflow."""
    return SettingsError(
        "MLflow is not installed here",
        got=str(error),
        expected="the package mlflow or mlflow-skinny",
        do="pip install 'everfit[mlflow]'",
    )


def is_down(error: BaseException) -> bool:
    """Whether the server did not answer at all, so that asking for more would only cost time."""
    from mlflow.exceptions import RestException

    if isinstance(error, RestException):
        return False
    if isinstance(error, (ConnectionError, TimeoutError)):
        return True
    said = str(error)
    # MLflow's own words; a server that answers with 5xx is there, and may take the next item
    return "API request to" in said and " exception " in said and "error responses" not in said
