"""The rows to learn from: what a person gave, what feeds brought, and what the log has learnt."""

from everfit.loop.gather.outcomes import Matured as Matured
from everfit.loop.gather.outcomes import Record as Record
from everfit.loop.gather.outcomes import matured as matured
from everfit.loop.gather.outcomes import waiting as waiting
from everfit.loop.gather.rows import Gathered as Gathered
from everfit.loop.gather.rows import Wish as Wish
from everfit.loop.gather.rows import gather as gather
