"""Learners whose answers are ranked lists of items."""

from everfit.learners.listing.families import EaseLists, LaggedLists, NeighbourLists, PopularLists
from everfit.learners.listing.lister import listed
from everfit.learners.listing.points import ContentLists, FactorLists
from everfit.learners.listing.reranking import RerankedLists

__all__ = [
    "ContentLists",
    "EaseLists",
    "FactorLists",
    "LaggedLists",
    "NeighbourLists",
    "PopularLists",
    "RerankedLists",
    "listed",
]
