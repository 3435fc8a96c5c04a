"""Tokens: made, listed, revoked and checked. The file holds hashes, never a token.

A token has 256 random bits, so that a plain SHA-256 of it cannot be guessed back. A check finds the
hash of what was sent in a table and then compares in constant time: the time of a look-up tells of
hashes alone, and nobody can steer those.
"""

from __future__ import annotations

import fcntl
import hmac
import json
import os
import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from everfit.errors import Refused, SettingsError, StoreFailed, UsageError, near

SCOPES = ("predict", "outcomes", "operate", "read")
FILE = "tokens.json"  # in the folder of the store
MARK = "ef_"  # lets scanners for secrets find a token that was committed by mistake
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Token:
    """What is kept of a token: its name, the hash of it, what it may do, and until when."""

    name: str
    sha256: str
    scopes: tuple[str, ...]
    made: str
    expires: str | None = None

    def expired(self, now: datetime) -> bool:
        """Whether its time is over."""
        return self.expires is not None and datetime.fromisoformat(self.expires) <= now


def make_token(
    path: Path, name: str, scopes: Sequence[str] = SCOPES, *, expires: datetime | None = None
) -> str:
    """Make a token and keep its hash in ``path``; the text is returned here and never again.

    Parameters
    ----------
    path : ``tokens.json`` in the folder of the store; made with mode 0600
    scopes : some of ``SCOPES``
    expires : an instant with its zone

    Raises
    ------
    UsageError : a name, scope or time that cannot be used, or a name that is taken
    SettingsError : the file is there but is no list of tokens
    StoreFailed : the file cannot be written

    Examples
    --------
    >>> from tempfile import mkdtemp
    >>> path = Path(mkdtemp()) / FILE
    >>> text = make_token(path, "shop", ["predict"])
    >>> [token.name for token in list_tokens(path)], text in path.read_text()
    (['shop'], False)
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            "a token cannot have this name", got=repr(name[:80]),
            expected="up to 64 letters, digits, dots, dashes and underscores",
            do="choose a name such as shop-1",
        )  # fmt: skip
    wrong = [scope for scope in scopes if scope not in SCOPES]
    if wrong or not scopes:
        like = near(wrong[0], SCOPES) if wrong else ""
        raise UsageError(
            "a token cannot have these scopes", got=", ".join(wrong) or "none",
            expected=", ".join(SCOPES), do=f"did you mean {like}?" if like else "name some of them",
        )  # fmt: skip
    if expires is not None and expires.tzinfo is None:
        raise UsageError(
            "a token's end needs a zone", got=expires.isoformat(),
            expected="an instant such as 2026-12-31T00:00:00Z", do="add the zone",
        )  # fmt: skip
    text = MARK + secrets.token_urlsafe(32)
    made = datetime.now(UTC).isoformat(timespec="seconds")
    until = None if expires is None else expires.astimezone(UTC).isoformat(timespec="seconds")
    ordered = tuple(scope for scope in SCOPES if scope in scopes)
    with _alone(path):
        have = list_tokens(path)
        if any(token.name == name for token in have):
            raise UsageError(
                f"there is a token {name!r} already", got=name, expected="a new name",
                do=f"choose another, or first: everfit token revoke {name}",
            )  # fmt: skip
        _write(path, [*have, Token(name, _hash(text.encode()), ordered, made, until)])
    return text


def list_tokens(path: Path) -> list[Token]:
    """The tokens in a file, the oldest first; none when there is no file.

    Raises
    ------
    SettingsError : the file is no list of tokens, or others may read it
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode & 0o077
            plain = json.load(file)
        if mode:
            raise SettingsError(
                f"{path.name} can be read by others", got=f"mode {mode:03o} for group and others",
                expected="mode 0600", do=f"chmod 600 {path}, and make new tokens",
            )  # fmt: skip
        return [_revived(item) for item in plain["tokens"]]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise SettingsError(
            f"{path.name} cannot be read", got=f"{type(error).__name__}: {error}"[:200],
            expected="the file as `everfit token` wrote it",
            do="put it back from a copy, or remove it and make new tokens",
        ) from error  # fmt: skip


def revoke_token(path: Path, name: str) -> Token:
    """Take a token out of the file; servers that run learn it within a second.

    Raises
    ------
    Refused : there is no such token
    SettingsError, StoreFailed : as :func:`make_token`
    """
    with _alone(path):
        have = list_tokens(path)
        for token in have:
            if token.name == name:
                _write(path, [other for other in have if other is not token])
                return token
    like = near(name, [token.name for token in have])
    raise Refused(
        f"there is no token {name[:80]!r}", got=repr(name[:80]),
        expected=", ".join(token.name for token in have) or "there are none",
        do=f"did you mean {like}?" if like else "see everfit token list",
    )  # fmt: skip


def first_token(path: Path) -> str | None:
    """Make the token ``first`` with all scopes when the file has none yet; None when it has some.

    Raises
    ------
    SettingsError, StoreFailed : as :func:`make_token`
    """
    return None if list_tokens(path) else make_token(path, "first")


class Tokens:
    """The tokens of a file, as a server checks them; read again when the file changes."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._state: tuple[int, ...] | None = None
        self._by_hash: dict[str, Token] = {}
        self.trouble = ""  # why the file could not be read again; then the old tokens hold
        self.reread()

    def __len__(self) -> int:
        return len(self._by_hash)

    def reread(self) -> bool:
        """Read the file when it changed; whether it did.

        Raises
        ------
        SettingsError : the first reading failed
        """
        if self._path is None:
            return False
        try:
            stat = self._path.stat()
            state: tuple[int, ...] | None = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
        except OSError:
            state = None
        if state == self._state and not self.trouble:
            return False
        try:
            found = list_tokens(self._path)
        except SettingsError as error:
            if self._state is None and not self._by_hash:
                raise
            self.trouble = error.what
            return False
        # a file that vanished takes all tokens with it: nobody gets in, rather than everybody
        self._by_hash = {token.sha256: token for token in found}
        self._state, self.trouble = state, ""
        return True

    def find(self, text: bytes) -> Token | None:
        """The token with this text; an expired one too."""
        digest = _hash(text)
        found = self._by_hash.get(digest)
        if found is None or not hmac.compare_digest(found.sha256, digest):
            return None
        return found


def _hash(text: bytes) -> str:
    return sha256(text).hexdigest()


def _revived(plain: dict[str, Any]) -> Token:
    token = Token(**plain | {"scopes": tuple(plain["scopes"])})
    token.expired(datetime.now(UTC))  # ValueError or TypeError when its end is no instant
    return token


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """The only process that changes the file, until the block ends: others wait."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise _unwritten(path, error) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _unwritten(path: Path, error: OSError) -> StoreFailed:
    return StoreFailed(
        f"{path.name} cannot be written", got=error.strerror or str(error),
        expected=f"{path.parent} to be writable", do="free space, or check its rights",
    )  # fmt: skip


def _write(path: Path, tokens: Sequence[Token]) -> None:
    """Replace the file at once: a reader sees all old tokens or all new ones."""
    text = json.dumps({"tokens": [asdict(token) for token in tokens]}, indent=1) + "\n"
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError as error:
        raise _unwritten(path, error) from error
    finally:
        new.unlink(missing_ok=True)
