"""Are lists still good, and do they still show enough? Facts of windows in, findings out."""

from everfit.watch.lists.facts import hit_facts, shown_facts
from everfit.watch.lists.findings import list_findings

__all__ = ["hit_facts", "list_findings", "shown_facts"]
