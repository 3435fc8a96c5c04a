"""The command ``mirror``: tell an MLflow server what it has not been told."""

from __future__ import annotations

import os

from everfit.errors import Unreachable, UsageError
from everfit.faces.cli.everywhere import Face
from everfit.faces.cli.opening import house_of
from everfit.faces.words.figures import counted
from everfit.faces.words.shapes import dump, envelope
from everfit.mirror.background import uri_here
from everfit.mirror.once import Passed, mirror_for, mirror_once
from everfit.settings import read_budget

MOST = "60s"


def do_mirror(face: Face, *, again: bool, patient: bool, most: str | None) -> None:
    """Push what waits to the server of ``MLFLOW_TRACKING_URI`` and say what arrived.

    Raises
    ------
    UsageError : no server is named
    Unreachable : something still waits because it failed
    """
    uri = uri_here()
    if uri is None:
        raise UsageError(
            "there is no MLflow server to tell",
            got="MLFLOW_TRACKING_URI is not set",
            expected="the address of a server",
            do="export MLFLOW_TRACKING_URI=http://HOST:5000",
        )
    most_s = read_budget(most or MOST)
    with house_of(face) as house:
        if patient:
            if hasattr(os, "nice"):
                os.nice(10)  # nobody waits for us, and a run may be at work
            passed = mirror_for(house, uri, most_s)
        else:
            passed = mirror_once(house, uri, most_s, again=again, patient=False)
    _tell(face, passed)


def _tell(face: Face, passed: Passed) -> None:
    if passed.errors and passed.waiting:
        raise Unreachable(
            f"{counted(passed.waiting, 'item')} could not be mirrored to {passed.target}",
            got="; ".join(passed.errors[:3]),
            expected=f"a server that takes them; {passed.arrived:,} arrived",
            do="nothing is lost: the next run, everfit serve or everfit mirror tries again",
        )
    if face.as_json:
        face.data(dump(envelope("mirror", **_shape(passed))))
        return
    line = f"{passed.target}: {counted(passed.arrived, 'item')} arrived"
    if passed.busy:
        line = f"{passed.target}: another process is at it"
    elif not passed.arrived and not passed.waiting:
        line = f"{passed.target}: nothing new"
    face.data(line + (f", {passed.waiting:,} waiting" if passed.waiting else ""))


def _shape(passed: Passed) -> dict[str, object]:
    return {
        "target": passed.target,
        "arrived": passed.arrived,
        "waiting": passed.waiting,
        "busy": passed.busy,
    }
