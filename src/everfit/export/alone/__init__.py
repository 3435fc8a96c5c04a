"""The code of an exported Python file: copied as it is into what ``--to python`` writes.

It needs Python 3.11 and numpy, and nothing of Everfit. Of each file only what follows the line
``# <body>`` is copied, in the order of ``BODIES``; the imports that all need stand in ``HEAD``.
"""

BODIES = ("rows", "features", "engines", "model")
HEAD = """\
from __future__ import annotations

import base64
import io
import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
"""
