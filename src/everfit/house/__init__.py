"""The house: one store, with all that a person may ask of it and do with it."""

from everfit.house.acting import House
from everfit.house.reading import Comparison, Reading, Status

__all__ = ["Comparison", "House", "Reading", "Status"]
