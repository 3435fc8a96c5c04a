"""A small writer of ONNX graphs: constants, nodes, inputs and outputs, each by its name."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from hashlib import sha256
from importlib import import_module
from typing import Any

import numpy as np

from everfit.errors import UsageError
from everfit.records import Array

OPSET, OPSET_ML, IR = 18, 5, 10  # the first of each that has all we need
ML = "ai.onnx.ml"


def library(name: str) -> Any:
    """The module ``name`` of the extra ``everfit[onnx]``.

    Raises
    ------
    UsageError : it is not installed
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise UsageError(
            f"ONNX needs {name.partition('.')[0]}, and it is not installed",
            got=str(error),
            expected="onnx to write the file and onnxruntime to check it",
            do="pip install 'everfit[onnx]'",
        ) from error


class Graph:
    """Nodes in the order in which they are added; every method gives the name of what it makes.

    Parameters
    ----------
    taken : names of columns, which are those of inputs
    real : numpy's float64, or float32 for runtimes that have nothing else
    """

    def __init__(self, taken: Collection[str], real: type[np.floating[Any]] = np.float64) -> None:
        self.onnx = library("onnx")
        self.real = real
        self._taken = taken
        self._mark = "~"
        while any(name.startswith(self._mark) for name in taken):
            self._mark += "~"
        self._nodes: list[Any] = []
        self._constants: dict[str, Any] = {}
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []
        self._made: dict[tuple[Any, ...], str] = {}

    def input(self, name: str, kind: type[Any]) -> str:
        """A column: shape (n, 1)."""
        info = self.onnx.helper.make_tensor_value_info
        self._inputs.append(info(name, self._type(kind), ["n", 1]))
        return name

    def output(self, value: str, name: str, kind: type[Any], shape: Sequence[Any]) -> None:
        """Give ``value`` out under ``name``, with a line under it where a column is called so."""
        while name in self._taken:
            name += "_"
        self._nodes.append(self.onnx.helper.make_node("Identity", [value], [name]))
        info = self.onnx.helper.make_tensor_value_info
        self._outputs.append(info(name, self._type(kind), list(shape)))

    def constant(self, value: Any) -> str:
        """An array; float64 ones are kept in the graph's precision."""
        array = np.asarray(value)
        if array.dtype == np.float64:
            array = array.astype(self.real)
        digest = sha256(f"{array.dtype}{array.shape}".encode() + array.tobytes()).hexdigest()
        if array.dtype == object:
            digest = sha256(repr(array.tolist()).encode()).hexdigest()
        name = f"{self._mark}c{digest[:20]}"
        if name not in self._constants:
            self._constants[name] = self.onnx.numpy_helper.from_array(array, name)
        return name

    def __call__(self, kind: str, *inputs: Any, domain: str = "", **attributes: Any) -> str:
        """A node of one output; inputs that are no names become constants."""
        given = [one if isinstance(one, str) else self.constant(one) for one in inputs]
        key = (kind, domain, *given, repr(sorted(attributes.items())))
        if domain or key not in self._made:
            name = f"{self._mark}v{len(self._nodes)}"
            tensors = {k: self._attribute(v) for k, v in attributes.items()}
            self._nodes.append(
                self.onnx.helper.make_node(kind, given, [name], domain=domain, **tensors)
            )
            self._made[key] = name
        return self._made[key]

    def cast(self, value: str, kind: type[Any]) -> str:
        """``value`` as another type."""
        return self("Cast", value, to=self._type(kind))

    def joined(self, blocks: Sequence[str]) -> str:
        """Blocks (n, a), (n, b), ... side by side."""
        return blocks[0] if len(blocks) == 1 else self("Concat", *blocks, axis=1)

    def encoded(self, value: str, keys: Sequence[Any], default: int) -> str:
        """The place of each value in ``keys``, int64; ``default`` for others."""
        places = {"values_int64s": list(range(len(keys))), "default_int64": default}
        named = "keys_strings" if isinstance(keys[0], str) else "keys_int64s"
        return self("LabelEncoder", value, domain=ML, **{named: list(keys)}, **places)

    def model(self, doc: str, facts: Mapping[str, str]) -> Any:
        """The finished model, checked."""
        h = self.onnx.helper
        used = {name for node in self._nodes for name in node.input}
        constants = [tensor for name, tensor in self._constants.items() if name in used]
        graph = h.make_graph(self._nodes, "model", self._inputs, self._outputs, constants)
        model = h.make_model(
            graph,
            doc_string=doc,
            producer_name="everfit",
            ir_version=IR,
            opset_imports=[h.make_opsetid("", OPSET), h.make_opsetid(ML, OPSET_ML)],
        )
        h.set_model_props(model, dict(facts))
        self.onnx.checker.check_model(model)
        return model

    def _type(self, kind: type[Any]) -> int:
        if kind is str:
            return int(self.onnx.TensorProto.STRING)
        return int(self.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(kind)))

    def _attribute(self, value: Any) -> Any:
        return self.onnx.numpy_helper.from_array(value) if isinstance(value, np.ndarray) else value


def rows_of(values: Array) -> Array:
    """Values (k,) as one row (1, k)."""
    return np.asarray(values, dtype=np.float64).reshape(1, -1)
