"""Where an export is written: it takes its name only when it is whole and was compared."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from everfit.errors import Refused, StoreFailed
from everfit.export.contract import Exported


@contextmanager
def placed(out: Path) -> Iterator[Path]:
    """A place beside ``out`` to write to, file or folder; renamed to ``out`` when all went well.

    Raises
    ------
    Refused : something is at ``out`` already
    StoreFailed : the disk refused; nothing half-written stays
    """
    if out.exists() or out.is_symlink():
        raise Refused(
            f"{out} is already there",
            got="a folder" if out.is_dir() else "a file",
            expected="a name that is free",
            do="give another name with -o, or add --force to replace it",
        )
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        _remove(part)
        yield part
        part.replace(out)
    except OSError as error:
        if error.errno is None:
            raise  # a library that cannot be loaded, say
        raise StoreFailed(
            f"{out} cannot be written",
            got=error.strerror or str(error),
            expected="a place that can be written to",
            do="give another place with -o",
        ) from error
    finally:
        _remove(part)


def replaced(out: Path, write: Callable[[Path], Exported]) -> Exported:
    """Let ``write`` write to ``out``; what is there stays until the new export is whole.

    A file is replaced by a file, a folder by a folder, and only a folder that holds an export.

    Raises
    ------
    Refused : something else is there
    StoreFailed : the disk refused
    """
    if not (out.exists() or out.is_symlink()):
        return write(out)
    if out.is_dir() and not _holds_export(out):
        raise Refused(
            f"{out} is a folder that holds no export",
            got=", ".join(sorted(path.name for path in out.iterdir())[:5]),
            expected="a file, or a folder that an export wrote",
            do="give another name with -o",
        )
    new = out.with_name(f".{out.name}.{os.getpid()}.new{out.suffix}")
    old = out.with_name(f".{out.name}.{os.getpid()}.old")
    try:
        made = write(new)
        out.replace(old)
        try:
            new.replace(out)
        except OSError:
            old.replace(out)
            raise
    finally:
        _remove(new)
        _remove(old)
    files = tuple(out / path.relative_to(new) if path != new else out for path in made.files)
    return replace(made, path=out, files=files)


def _holds_export(folder: Path) -> bool:
    found = [*folder.glob("everfit_*.h"), *folder.glob("MLmodel")]
    return bool(found) or not any(folder.iterdir())


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):  # nothing is there, or the folder above is none
            path.unlink()
