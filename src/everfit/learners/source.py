"""A user's own source files: imported from anywhere, and kept beside the model that needs them."""

from __future__ import annotations

import hashlib
import importlib.abc
import importlib.util
import site
import sys
import sysconfig
from pathlib import Path
from types import ModuleType
from typing import Any

from everfit.errors import UsageError


class SourceFile(importlib.abc.InspectLoader):
    """Loads a module from the bytes that the file had, and leaves no ``__pycache__`` behind.

    A folder of a packed version must not change when it is opened.
    """

    def __init__(self, path: Path) -> None:
        self.data = path.read_bytes()
        self._path = path

    def get_source(self, fullname: str) -> str:
        """The text of the file."""
        return importlib.util.decode_source(self.data)

    def get_filename(self, fullname: str) -> str:
        """Where the file lay, for traces."""
        return str(self._path)


def import_file(path: Path, name: str) -> ModuleType:
    """Import the file ``path`` as module ``name``, once a process.

    Raises
    ------
    UsageError : it cannot be imported
    """
    if name in sys.modules:
        return sys.modules[name]
    loader = SourceFile(path)
    spec = importlib.util.spec_from_loader(name, loader, origin=str(path))
    if spec is None:
        raise UsageError(
            f"{path} is no Python file",
            got=path.suffix,
            expected=".py",
            do="give a file that ends in .py",
        )
    module = importlib.util.module_from_spec(spec)
    module.__file__ = str(path)
    sys.modules[name] = module
    try:
        loader.exec_module(module)
    except Exception as error:
        # a user's file may raise anything while it is imported
        del sys.modules[name]
        raise UsageError(
            f"{path} cannot be imported",
            got=f"{type(error).__name__}: {error}",
            expected="a file that imports only installed packages",
            do="install what it needs, or keep the class in one file",
        ) from error
    return module


def sources(estimator: Any) -> dict[str, bytes]:
    """The user's own modules that ``estimator`` and its parts come from: name and content.

    Installed packages, the standard library and ``__main__`` do not count, nor do parts of
    packages: a module must be one file to travel.
    """
    parts = [estimator]
    if hasattr(estimator, "get_params"):
        parts += list(estimator.get_params(deep=True).values())
    installed = {sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")}
    installed |= set(site.getsitepackages())
    found: dict[str, bytes] = {}
    for part in parts:
        name = type(part).__module__
        module = sys.modules.get(name)
        file = getattr(module, "__file__", None)
        if module is None or file is None or name == "__main__" or "." in name:
            continue
        loader = getattr(module.__spec__, "loader", None)
        if isinstance(loader, SourceFile):
            found[name] = loader.data
        elif not any(Path(file).is_relative_to(place) for place in installed):
            found[name] = Path(file).read_bytes()
    return found


def is_trusted(name: str, own: set[str]) -> bool:
    """Whether a stored type may be loaded: scikit-learn's, numpy's, scipy's, or of ``own`` modules.

    Examples
    --------
    >>> is_trusted("mine.Model", {"mine"}), is_trusted("os.system", {"mine"})
    (True, False)
    """
    packages = {"sklearn", "numpy", "scipy"} | {module.split(".")[0] for module in own}
    return name.split(".", maxsplit=1)[0] in packages - {"builtins", "__main__"}


def sha256(content: bytes) -> str:
    """The hash of ``content`` in hexadecimal."""
    return hashlib.sha256(content).hexdigest()
