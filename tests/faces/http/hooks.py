"""What schemathesis must know beyond the description."""

from __future__ import annotations

from typing import Any

import schemathesis


@schemathesis.hook
def filter_case(context: Any, case: Any) -> bool:
    """Leave out what is no JSON: no schema can say which bytes are good."""
    return case.media_type in (None, "application/json")
