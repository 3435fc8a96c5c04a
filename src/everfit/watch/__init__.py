"""Watch: is the model still good? Windows of traffic in, health out."""

from everfit.watch.asked import Beside, asked
from everfit.watch.matured import Certified, matured
from everfit.watch.reference import Reference, columns_of, read_reference
from everfit.watch.stage import made_reference, watch

__all__ = [
    "Beside",
    "Certified",
    "Reference",
    "asked",
    "columns_of",
    "made_reference",
    "matured",
    "read_reference",
    "watch",
]
