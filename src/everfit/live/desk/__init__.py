"""The desk of a worker: bytes in, answer bytes out, everything written down before it is given.

``lane`` builds an answer of one version in one arm, and the frame that records it; ``desk`` picks
the lane, keeps the versions and takes outcomes.
"""

from everfit.live.desk.desk import Desk
from everfit.live.desk.lane import Lane, Predicted
from everfit.live.desk.limits import Limits

__all__ = ["Desk", "Lane", "Limits", "Predicted"]
