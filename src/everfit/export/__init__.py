"""Take a released version elsewhere: as C, as one Python file, as ONNX, as an MLflow model.

Everything is built from the packed plan alone (docs/plan.md), and nothing is said to be done
before the new form answered real rows as the version itself does: see ``parity``.
"""
