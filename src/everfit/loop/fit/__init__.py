"""How the loop makes new versions by itself: recalibrated, retrained, or searched anew."""

from everfit.loop.fit.entry import WORK as WORK
from everfit.loop.fit.entry import arguments as arguments
from everfit.loop.fit.fit import fit as fit
from everfit.loop.fit.job import FitAct as FitAct
from everfit.loop.fit.job import FitJob as FitJob
from everfit.loop.fit.job import Fitted as Fitted
from everfit.loop.fit.job import Hands as Hands
