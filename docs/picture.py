"""Draws what a run prints as ``docs/run-light.svg`` and ``docs/run-dark.svg``, for README.

python docs/picture.py              # runs `everfit demo` in a folder that is gone afterwards
python docs/picture.py block.txt    # draws what a run printed before
"""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from everfit.faces.words.paint import painted

HERE = Path(__file__).resolve().parent
COMMAND = "everfit demo"
WIDTH = 82
ANSI = [
    (0, 0, 0), (207, 34, 46), (26, 127, 55), (154, 103, 0),
    (9, 105, 218), (130, 80, 223), (5, 102, 138), (87, 96, 106),
]  # fmt: skip
LIGHT = TerminalTheme((255, 255, 255), (31, 35, 40), ANSI, ANSI)
ANSI_DARK = [
    (72, 79, 88), (255, 123, 114), (63, 185, 80), (210, 153, 34),
    (88, 166, 255), (188, 140, 255), (118, 227, 234), (177, 186, 196),
]  # fmt: skip
DARK = TerminalTheme((13, 17, 23), (230, 237, 243), ANSI_DARK, ANSI_DARK)
# Rich's own frame loads a font from a server; this one asks for what the reader's system has
FRAME = """\
<svg viewBox="0 0 {terminal_width} {terminal_height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{
  font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: {char_height}px; line-height: {line_height}px; font-variant-east-asian: full-width;
}}
{styles}
</style>
<rect width="{terminal_width}" height="{terminal_height}" rx="8" fill="{background}"/>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
<g transform="translate(9, 12)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def block_of_a_run() -> str:
    """What ``everfit demo`` prints on stdout, run in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        run = subprocess.run(
            [sys.executable, "-m", "everfit", "demo"],
            cwd=folder,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    return run.stdout


def picture(block: str, theme: TerminalTheme) -> str:
    """``block`` below the command that made it, as SVG."""
    console = Console(
        record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor"
    )
    console.print(Text.assemble(("$ ", "dim"), (COMMAND, "bold")))
    console.print()
    console.print(painted(block.rstrip()))
    console.print()  # Rich gives the last line no room of its own
    frame = FRAME.replace("{background}", theme.background_color.hex)
    return console.export_svg(theme=theme, code_format=frame, unique_id="run")


def main() -> None:
    """Write both pictures."""
    block = Path(sys.argv[1]).read_text("utf-8") if len(sys.argv) > 1 else block_of_a_run()
    for name, theme in (("light", LIGHT), ("dark", DARK)):
        (HERE / f"run-{name}.svg").write_text(picture(block, theme), encoding="utf-8")


if __name__ == "__main__":
    main()
