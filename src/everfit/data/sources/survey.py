"""One pass over the bytes of a file: its hash, encoding, quotes and last line.

Everything here is counted over the whole file, not a sample, in blocks, so that memory stays
small; a file that is not plain UTF-8 is then written again as UTF-8 for the fast parser.
"""

from __future__ import annotations

import bz2
import codecs
import gzip
import hashlib
import lzma
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import numpy as np

from everfit.errors import SourceUnreadable

BLOCK = 8 << 20
HEAD = 1 << 20  # bytes that the dialect is guessed from
MAGIC = (
    (b"PAR1", "Parquet", ".parquet"),
    (b"ARROW1", "Arrow", ".arrow"),
    (b"FEA1", "Feather", ".feather"),
    (b"\xd0\xcf\x11\xe0", "old Excel or Office", ".xls"),
    (b"SQLite format 3", "a SQLite database", ".db"),
    (b"\x89PNG", "a PNG picture", ".png"),
    (b"\xff\xd8\xff", "a JPEG picture", ".jpg"),
    (b"%PDF", "PDF", ".pdf"),
    (b"\x89HDF", "HDF5", ".h5"),
)
PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"PK\x03\x04": "zip"}
_NOT_CP1252 = bytes([0x81, 0x8D, 0x8F, 0x90, 0x9D])


@dataclass(slots=True)
class QuoteTally:
    """Counts quotes and lines with an odd number of them, block by block."""

    n_quotes: int = 0
    n_odd_lines: int = 0
    _rest: int = 0  # quotes of the unfinished last line

    def add(self, block: bytes) -> None:
        """Count one more block."""
        found = block.count(b'"')
        if not found and not self._rest:
            return
        self.n_quotes += found
        codes = np.frombuffer(block, dtype=np.uint8)
        ends = np.flatnonzero(codes == 10)
        if ends.size == 0:
            self._rest += found
            return
        before = np.searchsorted(np.flatnonzero(codes == 34), ends)
        per_line = np.diff(before, prepend=0)
        per_line[0] += self._rest
        self.n_odd_lines += int(np.count_nonzero(per_line % 2))
        self._rest = found - int(before[-1])

    def close(self) -> None:
        """Count the last line, which may have no line end."""
        self.n_odd_lines += self._rest % 2
        self._rest = 0


@dataclass(frozen=True, slots=True)
class Survey:
    """What the bytes of a file are.

    ``encoding`` is a Python codec name; ``bad_bytes`` counts bytes that are not valid in it;
    ``plain`` is true when the fast parser can read the file as it lies on disk.
    """

    sha256: str
    size: int
    packed: str
    encoding: str
    bad_bytes: int
    has_nul: bool
    bare_returns: bool
    quotes: QuoteTally

    @property
    def plain(self) -> bool:
        """Whether the file is unpacked, valid UTF-8 with ordinary line ends."""
        return (
            not self.packed
            and self.encoding in ("utf-8", "utf-8-sig")
            and not (self.bad_bytes or self.has_nul or self.bare_returns)
        )


def packing(head: bytes) -> str:
    """``gzip``, ``bzip2``, ``xz``, ``zip`` or an empty string, by the first bytes."""
    return next((name for magic, name in PACKED.items() if head.startswith(magic)), "")


def blocks(path: Path, packed: str) -> Iterator[bytes]:
    """The unpacked bytes of a file in blocks of 8 MB.

    Raises
    ------
    SourceUnreadable : the packed bytes are damaged, or a zip holds not exactly one file
    """
    try:
        with _open(path, packed) as stream:
            while block := stream.read(BLOCK):
                yield block
    except (EOFError, OSError, lzma.LZMAError, zipfile.BadZipFile) as error:
        raise SourceUnreadable(
            f"{path} cannot be unpacked" if packed else f"{path} cannot be read",
            got=f"{type(error).__name__}: {error}",
            expected=f"a whole {packed or 'text'} file",
            do="copy or download the file again",
        ) from error


def _open(path: Path, packed: str) -> IO[bytes]:
    if packed == "gzip":
        return cast("IO[bytes]", gzip.open(path, "rb"))
    if packed == "bzip2":
        return bz2.open(path, "rb")
    if packed == "xz":
        return lzma.open(path, "rb")
    if packed == "zip":
        archive = zipfile.ZipFile(path)
        inside = [info for info in archive.infolist() if not info.is_dir()]
        if len(inside) != 1:
            raise SourceUnreadable(
                f"{path} is a zip with {len(inside)} files",
                got=", ".join(info.filename for info in inside[:5]),
                expected="a zip with exactly one text file",
                do="unpack it and give the file that is meant",
            )
        return archive.open(inside[0])
    return path.open("rb")


def survey(path: Path) -> Survey:
    """Read the whole file once and say what its bytes are.

    Raises
    ------
    SourceUnreadable : empty, binary, or packed and damaged
    """
    with path.open("rb") as stream:
        head = stream.read(1 << 16)
    packed = packing(head)
    _refuse_known(path, head)
    if packed:
        head = next(blocks(path, packed), b"")[: 1 << 16]
    encoding = _encoding_of(path, head)
    digest, quotes, size = hashlib.sha256(), QuoteTally(), 0
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    bad = valid = 0
    nul = returns = odd_byte = some = False
    for block in blocks(path, packed):
        digest.update(block)
        size += len(block)
        some = some or bool(block.strip())
        if encoding.startswith("utf-16"):
            continue
        quotes.add(block)
        text = decoder.decode(block)
        if not block.isascii():
            bad += text.count("\ufffd") - block.count(b"\xef\xbf\xbd")
            valid += len(block) - len(text)
        nul = nul or b"\0" in block
        returns = returns or _has_bare_return(block)
        if bad and not odd_byte:
            odd_byte = any(block.count(bytes([code])) for code in _NOT_CP1252)
    if decoder.decode(b"", final=True):
        bad += 1
    quotes.close()
    if not some:
        raise _empty(path, size)
    if bad and valid <= 10 * bad:
        # bytes that break UTF-8 nearly everywhere are one of the two western 8-bit encodings
        encoding, bad = ("latin-1" if odd_byte else "cp1252"), 0
    return Survey(digest.hexdigest(), size, packed, encoding, bad, nul, returns, quotes)


def _has_bare_return(block: bytes) -> bool:
    n_returns = block.count(b"\r")
    if n_returns == 0:
        return False
    # a pair may be cut by the end of the block: one more is allowed there
    return n_returns - block.count(b"\r\n") > int(block.endswith(b"\r"))


def _empty(path: Path, size: int) -> SourceUnreadable:
    return SourceUnreadable(
        f"{path} is empty",
        got=f"{size:,} bytes, no text",
        expected="a header and rows",
        do="check how the file was written",
    )


def _refuse_known(path: Path, head: bytes) -> None:
    for magic, name, ending in MAGIC:
        if head.startswith(magic):
            raise SourceUnreadable(
                f"{path} is not a text file",
                got=f"the first bytes are those of {name}",
                expected="lines of text such as CSV",
                do=f"give it its right ending, {ending}" if ending else "export it as CSV",
            )
    if head.startswith(b"PK\x03\x04") and (b"[Content_Types].xml" in head or b"xl/" in head):
        raise SourceUnreadable(
            f"{path} is not a text file",
            got="the first bytes are those of an Excel workbook",
            expected="lines of text such as CSV",
            do="give it its right ending, .xlsx",
        )


def _encoding_of(path: Path, head: bytes) -> str:
    """The encoding as far as the first bytes tell it; UTF-8 until the whole file was seen."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    sample = head[:4096]
    if b"\0" in sample:
        even, odd = sample[0::2].count(0), sample[1::2].count(0)
        if odd > 0.3 * len(sample) / 2 and even < 0.05 * len(sample) / 2:
            return "utf-16-le"
        if even > 0.3 * len(sample) / 2 and odd < 0.05 * len(sample) / 2:
            return "utf-16-be"
    n_control = sum(head.count(bytes([code])) for code in range(32) if code not in (9, 10, 12, 13))
    if n_control > 0.01 * max(1, len(head)):
        raise SourceUnreadable(
            f"{path} is a binary file",
            got=f"{n_control:,} control characters in the first {len(head):,} bytes",
            expected="lines of text such as CSV",
            do="give it its right ending (.parquet, .xlsx, .arrow) or export it as CSV",
        )
    return "utf-8"


def rewritten(path: Path, seen: Survey) -> Iterator[bytes]:
    """The file as UTF-8 blocks without byte-order mark, NULs or lone carriage returns."""
    decoder = codecs.getincrementaldecoder(seen.encoding)(errors="replace")
    pending = ""
    for block in blocks(path, seen.packed):
        text = (pending + decoder.decode(block)).replace("\0", "")
        pending = "\r" if text.endswith("\r") else ""
        text = text[: len(text) - len(pending)]
        if seen.bare_returns or seen.encoding.startswith("utf-16"):
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        yield text.encode("utf-8")
    yield (pending + decoder.decode(b"", final=True)).encode("utf-8")
