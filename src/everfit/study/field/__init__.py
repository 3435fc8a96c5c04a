"""Who enters the race, and why: floors, the very simple model, the portfolio, genes to search."""

from everfit.study.field.entering import Field, Ground, field_of

__all__ = ["Field", "Ground", "field_of"]
