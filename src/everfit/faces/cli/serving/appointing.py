"""The commands by which a person says who answers, and what is forgotten."""

from __future__ import annotations

from pathlib import Path

from everfit.errors import UsageError
from everfit.faces.cli.acting import confirm, who
from everfit.faces.cli.everywhere import Face
from everfit.faces.cli.opening import house_of, settings_of
from everfit.faces.cli.serving.start import place_of
from everfit.faces.words.ledger import decision_lines
from everfit.faces.words.shapes import dump, envelope
from everfit.records import Decision


def do_promote(face: Face, model: str, version: str, reason: str, *, yes: bool) -> None:
    """Make a version the champion; asks on a terminal, refuses elsewhere."""
    with house_of(face) as house:
        champion = house.status(model)[0].champion
        now = champion.name if champion is not None else "no champion"
        if not yes:
            question = f"Promote {version} of {model}, where {now} serves?"
            confirm(question, f"promote {model} {version}")
        decision = house.promote(model, version, reason=reason, by=who())
    _tell(face, "promote", model, decision)


def do_canary(
    face: Face,
    model: str,
    version: str | None,
    share: float,
    holdout: float | None,
    reason: str,
    *,
    yes: bool,
) -> None:
    """Start, change or end a canary; asks before it sends keys to another version."""
    with house_of(face) as house:
        house.versions(model)
        if share and not yes:
            question = f"Send {share:.4g} of the keys of {model} to {version}?"
            confirm(question, f"canary {model} {version or 'VERSION'} --share {share:g}")
        decision = house.canary(model, version, share, holdout=holdout, reason=reason, by=who())
    _tell(face, "canary", model, decision)


def do_shadow(face: Face, model: str, version: str | None, reason: str, *, off: bool) -> None:
    """Start or end a shadow; nobody gets its answers, so nothing is asked."""
    if off == (version is not None):
        raise UsageError(
            "a shadow needs a version, or an end",
            got=f"{version} and --off" if off else "neither a version nor --off",
            expected="one of them",
            do=f"everfit shadow {model} v4, or everfit shadow {model} --off",
        )
    with house_of(face) as house:
        decision = house.shadow(model, version, reason=reason, by=who())
    _tell(face, "shadow", model, decision)


def do_forget(face: Face, model: str, key: str, *, yes: bool) -> None:
    """Remove what was recorded of one key; it cannot be brought back."""
    from everfit.store.log import Log

    settings = settings_of(face)
    place = place_of(face, settings)
    with house_of(face, settings) as house:
        house.versions(model)  # an unknown model is told with near names
        if not yes:
            confirm(f"Remove all that {model} recorded of {key!r}?", f"forget {model} --key {key}")
        log = Log.open(place.root if place.is_folder else place.store, root=place.root)
        try:
            spools = Path(settings.serve.get("spool") or place.root / "spool")
            found = log.forget(model, key, by=who(), spools=spools)
        finally:
            log.close()
    if face.as_json:
        face.data(dump(envelope("forget", model=model, key=key, forgotten=found)))
        return
    face.data(
        f"Removed {found.predictions:,} predictions and {found.outcomes:,} outcomes of {key!r}"
        + (f"; {found.files_rewritten:,} sealed files were rewritten" * bool(found.files_rewritten))
    )
    if found.damaged_files:
        face.tell(f"{found.damaged_files:,} damaged files could not be searched.")


def _tell(face: Face, command: str, model: str, decision: Decision) -> None:
    if face.as_json:
        face.data(dump(envelope(command, model=model, decision=decision)))
    else:
        face.data("\n".join(decision_lines(decision)))
