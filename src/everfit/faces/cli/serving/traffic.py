"""The command that tells of traffic: arms, the test of their split, and only then their losses."""

from __future__ import annotations

from everfit.errors import ModelUnknown, Refused
from everfit.faces.cli.everywhere import Face
from everfit.faces.cli.opening import house_of, settings_of
from everfit.faces.cli.serving.start import place_of
from everfit.faces.words.shapes import dump, envelope
from everfit.faces.words.traffic import traffic_shape, traffic_text
from everfit.house.labelling import KIND
from everfit.live.traffic.judged import judged
from everfit.live.traffic.split import arms_of, split_of
from everfit.maintain.labels import teaching


def do_traffic(face: Face, model: str) -> None:
    """Print who answered for a model since its split stands as it does."""
    from everfit.store.log import Log

    settings = settings_of(face)
    place = place_of(face, settings)
    with house_of(face, settings) as house:
        arms = arms_of(house, model)
        if arms is None:
            raise Refused(
                f"{model!r} has no champion, so nobody answers for it",
                do=f"see why: everfit why {model}",
            )
        try:
            source = place.root if place.is_folder else place.store
            log = Log.open(source, root=place.root, create=False)
        except ModelUnknown as error:
            raise Refused(
                f"nothing was recorded of {model!r} yet",
                got=error.got,
                expected="a model that was served",
                do="serve it: everfit serve",
            ) from error
        try:
            split = split_of(house, log, model)
            problem = house.version(model).problem
            teach = teaching(step.record for step in house.steps(model, KIND))
            found = (
                judged(log, model, problem, arms, since=split.since, teach=teach)
                if split.sound
                else None
            )
        finally:
            log.close()
    if face.as_json:
        face.data(dump(envelope("traffic", **traffic_shape(model, arms, split, found))))
    else:
        face.data(traffic_text(arms, split, found))
