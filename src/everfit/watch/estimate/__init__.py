"""How good are answers whose outcomes are not known yet? Never alone a reason to act."""

from everfit.watch.estimate.backtest import Trust, estimated, trust
from everfit.watch.estimate.findings import estimate_findings
from everfit.watch.estimate.window import estimate

__all__ = ["Trust", "estimate", "estimate_findings", "estimated", "trust"]
