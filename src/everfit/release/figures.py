"""Numbers and metrics as a decision's headline and a model card write them."""

from __future__ import annotations


def metric_name(metric: str) -> str:
    """A metric as people write it: what has four letters at most is an abbreviation.

    Examples
    --------
    >>> metric_name("log_loss"), metric_name("rmse"), metric_name("r2")
    ('log loss', 'RMSE', 'R2')
    """
    return metric.upper() if len(metric) <= 4 else metric.replace("_", " ")


def short(value: float | None, digits: int = 4) -> str:
    """A number with ``digits`` that count, thousands apart, without powers of ten where possible.

    Examples
    --------
    >>> short(0.0041234), short(146_680_497.0), short(11512.3, 3), short(None)
    ('0.004123', '146,700,000', '11,500', 'unknown')
    """
    if value is None:
        return "unknown"
    text = f"{value:.{digits}g}"
    return f"{float(text):,.0f}" if 1e4 <= abs(value) < 1e15 or "e+" in text else text
