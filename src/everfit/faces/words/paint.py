"""The final block of a run with a little colour, for terminals and for the picture in README."""

from __future__ import annotations

import io
import re

from rich.console import Console
from rich.text import Text

LABELS = r"^(Verdict|Blend|Choice|Watch|Stopped|Next)\b"
COMMANDS = r"(?<=^.{9})everfit .+?(?=  |$)"  # under Next, beside what each does
MADE = r"← v\d+$"
BEAT = r"^ *- .+\(to beat\).+$"
HEAD = r"^ *# .+$"
ASIDE = r"^   (\(#1 |\d+ more: ).+$"


def painted(block: str) -> Text:
    """``block`` as it is, letter by letter, with labels, commands and the new version marked.

    Examples
    --------
    >>> painted("Verdict  Released v1.").spans
    [Span(0, 7, 'bold')]
    """
    text = Text(block, no_wrap=True, overflow="ignore")
    styles = {
        LABELS: "bold",
        HEAD: "dim",
        ASIDE: "dim",
        BEAT: "dim",
        MADE: "green",
        COMMANDS: "cyan",
    }
    for pattern, style in styles.items():
        text.highlight_regex(re.compile(pattern, re.MULTILINE), style)
    return text


def terminal_text(text: Text) -> str:
    """``text`` with the codes that a terminal turns into colours."""
    out = io.StringIO()
    wide = max(map(len, text.plain.splitlines()), default=1) + 1
    Console(file=out, force_terminal=True, color_system="standard", width=wide).print(text)
    return out.getvalue()
