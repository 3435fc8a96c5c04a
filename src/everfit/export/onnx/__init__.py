"""Export as an ONNX graph in double precision, which onnxruntime answers."""

from everfit.export.onnx.export import to_onnx

__all__ = ["to_onnx"]
