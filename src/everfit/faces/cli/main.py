"""The entry of the command line: starts the clock, catches everything, picks the exit code."""

from __future__ import annotations

import errno
import json
import os
import platform
import re
import shlex
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence

import typer
from typer.main import get_command

from everfit.errors import EverfitError, Interrupted, ModelUnknown, StoreFailed
from everfit.faces.cli.app import app
from everfit.faces.cli.everywhere import Face, as_usage
from everfit.live.early import Early

BUG = 70
CLOSED = 141  # the reader of stdout went away, as a shell counts SIGPIPE
_LOADED = time.monotonic()
OLDEST_S = 20.0


def main(argv: Sequence[str] | None = None, *, early: Early | None = None) -> int:
    """Run one command; gives the exit code and never raises what a user can cause.

    ``early`` is a worker for ``serve`` that was started already.

    Examples
    --------
    >>> main(["init", "--print", "--config", "x"])  # doctest: +ELLIPSIS
    # Settings of Everfit...
    0
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    _speak_utf8()
    # --json is looked for before parsing, because parsing itself may fail
    as_json = "--json" in arguments
    try:
        face = Face(started=process_start(), early=early)
        code = get_command(app).main(
            args=arguments, prog_name="everfit", standalone_mode=False, obj=face
        )
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except typer.TyperException as error:
        return _report(as_usage(error.format_message()), as_json)
    except ModelUnknown as error:
        return _report(_with_command(error, arguments), as_json)
    except EverfitError as error:
        return _report(error, as_json)
    except (KeyboardInterrupt, typer.Abort):
        return _report(Interrupted("stopped", do="run the same command to go on"), as_json)
    except SystemExit:
        return _reader_left()  # what Typer makes of a broken pipe, its only use of it here
    except OSError as error:
        if error.errno == errno.EPIPE:
            return _reader_left()
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            return _report(_disk(error), as_json)
        return _crash(error, arguments, as_json)
    except Exception as error:  # noqa: BLE001 - the last place: a bug becomes a file and a code
        return _crash(error, arguments, as_json)


def process_start() -> float:
    """The moment this process began, on the clock of ``time.monotonic``.

    The budget of a run counts from here, so that the time for imports is inside it. Linux tells
    it; elsewhere, or when the shell lived long before it became us, the import of this file
    stands for it.
    """
    try:
        with open("/proc/self/stat", encoding="utf-8") as file:
            after_name = file.read().rpartition(")")[2].split()
        began = int(after_name[19]) / os.sysconf("SC_CLK_TCK")
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - began
    except (OSError, ValueError, IndexError, AttributeError):
        return _LOADED
    began_here = time.monotonic() - age
    return began_here if 0 <= age <= OLDEST_S and began_here <= _LOADED else _LOADED


def _speak_utf8() -> None:
    # a console with an old code page must not turn a check mark into a crash
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")


def _report(error: EverfitError, as_json: bool) -> int:
    text = json.dumps({"error": error.as_dict()}, ensure_ascii=False) if as_json else str(error)
    sys.stderr.write(text + "\n")
    return error.exit_code


def _with_command(error: ModelUnknown, arguments: Sequence[str]) -> ModelUnknown:
    """The error with the whole command as it should have been, when a near name is known."""
    near, wrong = re.search(r"did you mean '([^']+)'", error.do), re.search(r"'([^']+)'", error.got)
    word = wrong[1] if wrong else next((w for w in arguments if repr(w) in error.what), None)
    if near is None or word not in arguments:
        return error
    meant = shlex.join(near[1] if argument == word else argument for argument in arguments)
    return ModelUnknown(
        error.what, got=error.got, expected=error.expected, do=f"{error.do} everfit {meant}"
    )


def _disk(error: OSError) -> EverfitError:
    return StoreFailed(
        "the disk could not be written",
        got=str(error),
        do="free some space, or give another place with --store",
    )


def _reader_left() -> int:
    # what Python still holds for stdout has no reader; it would complain again at exit
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return CLOSED


def _crash(error: BaseException, arguments: Sequence[str], as_json: bool) -> int:
    trace = "".join(traceback.format_exception(error))
    place = _crash_file(trace, arguments)
    last = f"{type(error).__name__}: {error}".splitlines()[0][:200]
    ours = EverfitError(
        "this is a bug in Everfit, not in what you did",
        got=last,
        do=f"send us {place}" if place else "send us the lines above",
    )
    if place is None:
        sys.stderr.write(trace)
    return _report(ours, as_json)


def _crash_file(trace: str, arguments: Sequence[str]) -> str | None:
    lines = [
        f"everfit {shlex.join(arguments)}",
        f"Python {platform.python_version()} on {platform.platform()}",
        "",
        trace,
    ]
    try:
        # readable by this user only: the command may name private things
        handle, path = tempfile.mkstemp(prefix="everfit-crash-", suffix=".txt")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write("\n".join(lines))
    except OSError:
        return None
    return path
