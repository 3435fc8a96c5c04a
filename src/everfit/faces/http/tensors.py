"""The values of one tensor of the Open Inference Protocol: from JSON, from bytes, and to bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from everfit.errors import UsageError, near

BINARY: Mapping[str, str] = {
    "BOOL": "?", "UINT8": "u1", "UINT16": "<u2", "UINT32": "<u4", "UINT64": "<u8", "INT8": "i1",
    "INT16": "<i2", "INT32": "<i4", "INT64": "<i8", "FP16": "<f2", "FP32": "<f4", "FP64": "<f8",
}  # fmt: skip
DATATYPES = (*BINARY, "BYTES")
LENGTH = 4  # bytes before each text
NONE = type(None)
FLOATS = {float, int, NONE}


def values_of(
    name: str, tensor: Mapping[str, Any], parameters: Mapping[str, Any], tail: bytes
) -> tuple[list[Any], bytes]:
    """The values of a tensor, one a row, and what is left of the binary data.

    Raises
    ------
    UsageError : they are not what shape and datatype say
    """
    datatype = tensor.get("datatype")
    if not isinstance(datatype, str) or datatype not in DATATYPES:
        hint = near(datatype, DATATYPES) if isinstance(datatype, str) else ""
        raise UsageError(
            f"tensor {name!r} has no datatype of the protocol",
            got=repr(datatype)[:80],
            expected=", ".join(DATATYPES),
            do=f"did you mean {hint}?" if hint else "",
        )
    n, nested = _rows(name, tensor.get("shape"))
    size = parameters.get("binary_data_size")
    data = tensor.get("data")
    if size is not None:
        if data is not None:
            raise UsageError(f"tensor {name!r} has both data and binary data", do="send one")
        if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= len(tail):
            raise UsageError(
                f"the binary data of tensor {name!r} is not there",
                got=f"binary_data_size {size!r}"[:80],
                expected=f"at most the {len(tail)} bytes that are left of the body",
            )
        return _unpacked(name, datatype, n, tail[:size]), tail[size:]
    if not isinstance(data, list):
        raise UsageError(
            f"tensor {name!r} has no data", got=type(data).__name__, expected="a list of values"
        )
    if nested and data and isinstance(data[0], list):
        data = _flat(name, data)
    if len(data) != n:
        raise UsageError(
            f"the data of tensor {name!r} do not fill its shape",
            got=f"{len(data)} values", expected=f"{n} values",
        )  # fmt: skip
    _check(name, datatype, data)
    return data, tail


def packed(datatype: str, values: Sequence[Any]) -> bytes:
    """Values as binary data; None is NaN where the datatype has one, and an empty text.

    Examples
    --------
    >>> packed("BYTES", ["yes", None]), packed("INT64", [1])
    (b'\\x03\\x00\\x00\\x00yes\\x00\\x00\\x00\\x00', b'\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00')
    """
    if datatype != "BYTES":
        return np.array(values, dtype=BINARY[datatype]).tobytes()
    texts = ["" if value is None else str(value) for value in values]
    raw = [text.encode("utf-8", "surrogatepass") for text in texts]
    return b"".join(len(one).to_bytes(LENGTH, "little") + one for one in raw)


def listed(values: Sequence[Any]) -> str:
    """Values as the text of a JSON list: a parameter of the protocol is a single value.

    Examples
    --------
    >>> listed(("no", "yes"))
    '["no", "yes"]'
    """
    return json.dumps(list(values), ensure_ascii=False)


def _rows(name: str, shape: Any) -> tuple[int, bool]:
    """The number of rows of a shape, and whether it may be nested."""
    good = isinstance(shape, list) and 1 <= len(shape) <= 2
    if good and all(type(size) is int and size >= 0 for size in shape) and prod(shape[1:]) == 1:
        return shape[0], len(shape) == 2
    raise UsageError(
        f"the shape of tensor {name!r} is not that of a column",
        got=repr(shape)[:80],
        expected="[n] or [n, 1]: one tensor for each column",
        do="send the columns of a matrix as one tensor each, with the names of the columns",
    )


def _flat(name: str, data: Sequence[Any]) -> list[Any]:
    if any(not isinstance(one, list) or len(one) != 1 for one in data):
        raise UsageError(
            f"the data of tensor {name!r} do not fill its shape",
            expected="lists of one value each, or values without lists",
        )
    return [one[0] for one in data]


def _check(name: str, datatype: str, data: list[Any]) -> None:
    """Every value is of the datatype, or None. A whole float is an integer: JSON has one number."""
    kinds = set(map(type, data))
    if datatype == "BYTES":
        good = kinds <= {str, NONE}
    elif datatype == "BOOL":
        good = kinds <= {bool, NONE}
    elif datatype.startswith("FP"):
        good = kinds <= FLOATS
    else:
        ends = np.iinfo(BINARY[datatype])
        good = kinds <= FLOATS and all(
            v is None or (int(ends.min) <= v <= int(ends.max) and v == int(v)) for v in data
        )
    if not good:
        first = next(value for value in data if not _fits(datatype, value))
        raise UsageError(
            f"a value of tensor {name!r} is not of its datatype",
            got=f"{first!r}"[:80], expected=f"{datatype} or null",
        )  # fmt: skip


def _fits(datatype: str, value: Any) -> bool:
    if value is None:
        return True
    if datatype == "BYTES":
        return isinstance(value, str)
    if datatype == "BOOL":
        return isinstance(value, bool)
    if type(value) not in FLOATS or datatype.startswith("FP"):
        return type(value) in FLOATS
    ends = np.iinfo(BINARY[datatype])
    return bool(int(ends.min) <= value <= int(ends.max) and value == int(value))


def _unpacked(name: str, datatype: str, n: int, raw: bytes) -> list[Any]:
    if datatype == "BYTES":
        found = _texts(name, raw, n)
    else:
        kind = np.dtype(BINARY[datatype])
        if len(raw) != n * kind.itemsize:
            raise _unfilled(name, f"{len(raw)} bytes", f"{n * kind.itemsize} bytes")
        if kind.kind == "b":  # a byte that is neither 0 nor 1 is no Boolean to numpy
            return [bool(byte) for byte in raw]
        found = np.frombuffer(raw, dtype=kind).tolist()
    if len(found) != n:
        raise _unfilled(name, f"{len(found)} values", f"{n} values")
    return found


def _texts(name: str, raw: bytes, n: int) -> list[Any]:
    found: list[Any] = []
    at = 0
    while at < len(raw) and len(found) <= n:
        end = at + LENGTH + int.from_bytes(raw[at : at + LENGTH], "little")
        if at + LENGTH > len(raw) or end > len(raw):
            raise _unfilled(name, f"{len(raw)} bytes", "each text after its length in 4 bytes")
        try:
            found.append(raw[at + LENGTH : end].decode())
        except UnicodeDecodeError as error:
            raise UsageError(f"a text of tensor {name!r} is no UTF-8", got=str(error)) from error
        at = end
    return found


def _unfilled(name: str, got: str, expected: str) -> UsageError:
    return UsageError(
        f"the binary data of tensor {name!r} do not fill its shape", got=got, expected=expected
    )
