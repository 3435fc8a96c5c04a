"""Who is told: addresses as the settings give them. Secrets are named here, never held."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from everfit.errors import SettingsError

Security = Literal["starttls", "ssl", "none"]
SECRET_CHARS = 6  # shorter parts of an address are no secret, and stand in many words
STATES = ("needs_you", "watch")


@dataclass(frozen=True, slots=True)
class Webhook:
    """An address that takes JSON by POST; with ``slack`` the JSON that Slack understands.

    Parameters
    ----------
    url, url_env : the address, or the environment variable that holds it
    secret_env : variable with the secret that signs messages; without one they are not signed
    private : whether it may be an address of this machine or of a private network
    timeout_s : for all of one message, name lookup and answer included
    models : names of models, empty for all
    states : which messages, ``needs_you`` and ``watch``
    """

    name: str
    url: str = ""
    url_env: str = ""
    secret_env: str = ""
    slack: bool = False
    private: bool = False
    timeout_s: float = 10.0
    models: tuple[str, ...] = ()
    states: tuple[str, ...] = STATES

    @property
    def kind(self) -> str:
        """``slack`` or ``webhook``."""
        return "slack" if self.slack else "webhook"


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail server and people who read mail; ``password_env`` names the variable, if any."""

    name: str
    host: str
    sender: str
    to: tuple[str, ...]
    port: int = 587
    security: Security = "starttls"
    user: str = ""
    password_env: str = ""
    timeout_s: float = 20.0
    models: tuple[str, ...] = ()
    states: tuple[str, ...] = STATES

    @property
    def kind(self) -> str:
        """Always ``email``."""
        return "email"


Target = Webhook | Mail


def wants(target: Target, model: str, state: str, tell: tuple[str, ...] | None) -> bool:
    """Whether ``target`` is told about ``model`` in ``state``; ``tell`` is what the policy says.

    Examples
    --------
    >>> ops = Webhook("ops", url="https://ops.example", states=("needs_you",))
    >>> wants(ops, "churn", "needs_you", None), wants(ops, "churn", "watch", None)
    (True, False)
    >>> wants(ops, "churn", "needs_you", ("team",))
    False
    """
    if tell is not None and target.name not in tell:
        return False
    return (not target.models or model in target.models) and state in target.states


def secret(variable: str, environ: Mapping[str, str] | None = None) -> str:
    """The value of an environment variable that the settings name; empty for no name.

    Raises
    ------
    SettingsError : it is not set
    """
    if not variable:
        return ""
    value = (os.environ if environ is None else environ).get(variable, "").strip()
    if not value:
        raise SettingsError(
            f"the environment variable {variable} is not set",
            expected="the secret that everfit.toml names by it",
            do=f"export {variable}=... before everfit starts",
        )
    return value


def without_secrets(text: str, target: Target, environ: Mapping[str, str] | None = None) -> str:
    """``text`` with every secret of ``target`` replaced by stars, for logs and the store.

    Examples
    --------
    >>> ops = Webhook("ops", url_env="HOOK")
    >>> without_secrets("no answer from https://x/T0KEN", ops, {"HOOK": "https://x/T0KEN"})
    'no answer from ***'
    """
    environ = os.environ if environ is None else environ
    names = (
        (target.password_env,) if isinstance(target, Mail) else (target.url_env, target.secret_env)
    )
    values = {environ.get(name, "").strip() for name in names if name} - {""}
    for value in tuple(values):
        # a library, or an answer, may name parts of an address alone
        rest = value.partition("://")[2].partition("/")[2]
        values |= {part for part in (rest, *re.split(r"[/?&=]", rest)) if len(part) >= SECRET_CHARS}
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, "***")
    return text
