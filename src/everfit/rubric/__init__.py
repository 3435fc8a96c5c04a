"""The ML Test Score of a model that serves: 28 tests, most of them run by themselves."""

from everfit.rubric.facts import Facts as Facts
from everfit.rubric.facts import Lived as Lived
from everfit.rubric.facts import Made as Made
from everfit.rubric.facts import Refitted as Refitted
from everfit.rubric.facts import Tried as Tried
from everfit.rubric.grade import Graded as Graded
from everfit.rubric.grade import Score as Score
from everfit.rubric.sections import CHECKS as CHECKS
from everfit.rubric.sections import score as score
