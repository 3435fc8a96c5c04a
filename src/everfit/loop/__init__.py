"""The loop: it lists the stages in order, and it alone writes. Read ``run.py`` first.

``run`` is one pass over data: read, assess, study, release. ``tick`` is one turn of a model that
serves: watch, maintain, and what they ask for.
"""

from everfit.loop.run import Means as Means
from everfit.loop.run import Request as Request
from everfit.loop.run import RunResult as RunResult
from everfit.loop.run import Tell as Tell
from everfit.loop.run import Turn as Turn
from everfit.loop.run import assess_only as assess_only
from everfit.loop.run import named as named
from everfit.loop.run import run as run
