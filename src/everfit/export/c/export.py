"""Write a version as C source, build it, and compare its answers."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import tempfile
from dataclasses import asdict
from pathlib import Path

from everfit.errors import Refused, UsageError
from everfit.export.c.call import Library
from everfit.export.c.source import Names, header, names_of, source
from everfit.export.contract import Exported, Rows, Stamp, stamp_of
from everfit.export.packed import Packed, read_packed
from everfit.export.parity import EXACT, gate
from everfit.export.placing import placed
from everfit.plain import as_plain
from everfit.records import Version
from everfit.serve import open_plan

FLAGS = ("-std=c99", "-O2", "-ffp-contract=off")
BUILD_S = 600.0
COMPILERS = ("cc", "gcc", "clang")


def to_c(scorer_folder: Path, out: Path, *, version: Version, rows: Rows) -> Exported:
    """Write the version as C99 into the folder ``out``; see ``everfit.export.contract.Export``.

    The folder holds one .c, one .h, a Makefile for a dynamic and a static library, and a README.
    The source is compiled here and called on real rows; so this needs a C compiler (``CC`` names
    it).
    """
    packed = read_packed(scorer_folder)
    scorer = open_plan(scorer_folder, trusted=version.trusted)
    _refuse_zeros(packed)
    stamp = stamp_of(version)
    names = names_of(packed, stamp)
    compiler = _compiler()
    with placed(out) as part, tempfile.TemporaryDirectory() as folder:
        written = write(part, packed, stamp, names)
        library = build(part / f"{names.prefix}.c", Path(folder) / "model.so", compiler)
        answer = Library(library, packed, names)
        parity = gate(scorer, answer, rows, limit=EXACT, what="the C source")
    files = tuple(out / name for name in written)
    return Exported(out, files, parity, ("It needs a C99 compiler and libm.",))


def _refuse_zeros(packed: Packed) -> None:
    for item in packed.columns:
        if any("\0" in level for level in item.levels):
            raise Refused(
                f"column {item.column.name!r} cannot be exported to C",
                got="a category with a zero byte, at which texts end in C",
                expected="categories without one",
                do="use --to python, or clean the column and run again",
            )


def write(folder: Path, packed: Packed, stamp: Stamp, names: Names) -> list[str]:
    """Write all files of the export into ``folder``; gives their names."""
    folder.mkdir(parents=True)
    about = json.dumps(as_plain(asdict(stamp)), indent=1)
    texts = {
        f"{names.prefix}.c": source(packed, stamp, names, about),
        f"{names.prefix}.h": header(packed, stamp, names),
        "Makefile": MAKEFILE.replace("@NAME@", names.prefix).replace("@FLAGS@", " ".join(FLAGS)),
        "README.md": readme(packed, stamp, names),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return list(texts)


def build(path: Path, library: Path, compiler: list[str]) -> Path:
    """Compile a C file as a dynamic library.

    Raises
    ------
    Refused : the compiler refused it
    """
    command = [*compiler, *FLAGS, "-fPIC", "-shared", str(path), "-o", str(library), "-lm"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_S, check=False)
    if done.returncode:
        raise Refused(
            "the C source cannot be compiled here",
            got=done.stderr.strip()[-400:],
            expected=shlex.join(command),
            do="set CC to another C99 compiler, or report this as a fault of Everfit",
        )
    return library


def _compiler() -> list[str]:
    given = shlex.split(os.environ.get("CC", ""))
    found = given or [name for name in COMPILERS if shutil.which(name)][:1]
    if not found or shutil.which(found[0]) is None:
        raise UsageError(
            "there is no C compiler to check the export with",
            got=given[0] if given else f"none of {', '.join(COMPILERS)}",
            expected="a C99 compiler: what is exported is first called on real rows",
            do="install gcc or clang, or set CC",
        )
    return found


MAKEFILE = """\
# make: both libraries
CC ?= cc
CFLAGS ?= @FLAGS@

all: lib@NAME@.so lib@NAME@.a

lib@NAME@.so: @NAME@.c @NAME@.h
	$(CC) $(CFLAGS) -fPIC -shared @NAME@.c -o $@ -lm

lib@NAME@.a: @NAME@.o
	$(AR) rcs $@ @NAME@.o

@NAME@.o: @NAME@.c @NAME@.h
	$(CC) $(CFLAGS) -fPIC -c @NAME@.c -o $@

clean:
	rm -f @NAME@.o lib@NAME@.so lib@NAME@.a

.PHONY: all clean
"""


def readme(packed: Packed, stamp: Stamp, names: Names) -> str:
    """The text of README.md."""
    p = names.prefix
    first = names.fields[0] if names.fields else "none"
    ignored = ", ".join(packed.ignored)
    rest = f"\nThe model does not read: {ignored}.\n" if ignored else ""
    return f"""# {stamp.model} {stamp.version} in C

    {chr(10).join("    " + line for line in stamp.lines()).strip()}

C99, no dependency but libm, no memory is allocated, safe to call from many threads.

    make                                  # lib{p}.so and lib{p}.a
    cc app.c {p}.c -lm         # or compile it into your program

```c
#include "{p}.h"

{names.row} row;
double out[{p.upper()}_N_OUTPUTS];
{p}_row_init(&row);       /* defaults, or missing */
/* row.{first} = ...; see the header for every column */
{p}_predict(&row, out);   /* out[i] belongs to {p}_outputs[i] */
```

A number, a boolean and a date that is missing is NAN; a text that is missing is NULL. Dates are
seconds since 1970-01-01 UTC. A category that training never saw counts as none of the known ones.
Compile with -ffp-contract=off where the compiler would fuse multiplications and additions:
then answers equal those of the version to about 1e-15.
{rest}"""
