"""The 28 tests in their four sections.

Breck, Cai, Nielsen, Salib and Sculley (2017), The ML Test Score: a rubric for ML production
readiness and technical debt reduction, IEEE Big Data, 1123-1132.
"""

from __future__ import annotations

from everfit.rubric import data, infra, model, monitoring
from everfit.rubric.facts import Facts
from everfit.rubric.grade import Check, Score, graded

CHECKS: tuple[Check, ...] = (
    Check("D1", "Data", "schema", "Feature expectations are in a schema", data.schema),
    Check("D2", "Data", "benefit", "All features are beneficial", data.beneficial),
    Check("D3", "Data", "cost", "No feature costs too much", data.cost),
    Check("D4", "Data", "required", "Features meet what is required of them", data.requirements),
    Check("D5", "Data", "privacy", "The pipeline protects privacy", data.privacy),
    Check("D6", "Data", "new columns", "New features can be added quickly", data.new_features),
    Check("D7", "Data", "feature code", "The code of features is tested", data.feature_code),
    Check("M1", "Model", "spec", "Its specification is reviewed and kept", model.spec),
    Check("M2", "Model", "metrics", "Offline and online metrics agree", model.proxy),
    Check("M3", "Model", "tuned", "Hyperparameters are tuned", model.tuned),
    Check("M4", "Model", "staleness", "What staleness costs is known", model.staleness),
    Check("M5", "Model", "simpler", "A simpler model is not better", model.simpler),
    Check("M6", "Model", "segments", "It is good enough on segments", model.segments),
    Check("M7", "Model", "inclusion", "Inclusion was considered", model.inclusion),
    Check("I1", "Infrastructure", "repeats", "Training can be repeated", infra.reproducible),
    Check("I2", "Infrastructure", "spec tests", "Its specification is tested", infra.spec_tested),
    Check("I3", "Infrastructure", "pipeline", "The whole pipeline is tested", infra.pipeline),
    Check("I4", "Infrastructure", "gates", "Gates stand before serving", infra.validated),
    Check("I5", "Infrastructure", "explained", "One answer can be explained", infra.debuggable),
    Check("I6", "Infrastructure", "canary", "Canary or shadow before serving", infra.canaried),
    Check("I7", "Infrastructure", "way back", "It can be rolled back", infra.rolled_back),
    Check(
        "O1", "Monitoring", "libraries", "Changes of libraries are told", monitoring.dependencies
    ),
    Check("O2", "Monitoring", "inputs", "Inputs are as they were", monitoring.invariants),
    Check("O3", "Monitoring", "skew", "Training and serving do not skew", monitoring.skew),
    Check("O4", "Monitoring", "age", "It is not too stale", monitoring.stale),
    Check("O5", "Monitoring", "numbers", "It is numerically stable", monitoring.stable),
    Check("O6", "Monitoring", "speed", "Computing has not become slower", monitoring.computing),
    Check("O7", "Monitoring", "quality", "Predictions have not become worse", monitoring.quality),
)


def score(facts: Facts) -> Score:
    """All 28 tests, graded from ``facts``."""
    return Score(facts.model, facts.version, tuple(graded(check, facts) for check in CHECKS))
