"""The pictures of README: they are there, load nothing from elsewhere, and name no machine."""

from __future__ import annotations

import importlib.util
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from types import ModuleType

import pytest

from everfit.faces.words.block import final_block
from tests.faces.build import result

ROOT = Path(__file__).resolve().parents[2]
SHOWN = re.findall(r'(?:src|srcset)="([^"]+)"', (ROOT / "README.md").read_text())
NAMESPACE = "http://www.w3.org/2000/svg"
MACHINE = re.compile(r"/(root|home|work|tmp|Users)/")


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("picture", ROOT / "docs" / "picture.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def words(svg: str) -> str:
    return " ".join("".join(ET.fromstring(svg).itertext()).split())


def test_readme_shows_a_light_and_a_dark_picture() -> None:
    assert sorted(SHOWN) == ["docs/run-dark.svg", "docs/run-light.svg"]


@pytest.mark.parametrize("name", SHOWN)
def test_a_picture_of_readme_is_there_small_and_loads_nothing(name: str) -> None:
    svg = (ROOT / name).read_text("utf-8")

    assert len(svg.encode()) < 60_000
    assert set(re.findall(r"https?://[^\"'\s)]+", svg)) == {NAMESPACE}
    assert "Verdict" in words(svg)
    assert not MACHINE.search(svg)


def test_both_pictures_tell_the_same_run() -> None:
    light, dark = (words((ROOT / name).read_text("utf-8")) for name in sorted(SHOWN))

    assert re.sub(r"\{.*?\}", "", light) == re.sub(r"\{.*?\}", "", dark)


def test_the_script_draws_every_line_of_a_block_inside_the_picture(script: ModuleType) -> None:
    block = final_block(result(), budget_s=60.0)

    svg = script.picture(block, script.LIGHT)

    shown = "".join(words(svg).split())  # blanks between runs of text are not drawn
    height = float(ET.fromstring(svg).attrib["viewBox"].split()[3])
    lowest = max(float(y) for y in re.findall(r'<text [^>]*? y="([\d.]+)"', svg))
    assert all("".join(line.split()) in shown for line in block.splitlines())
    assert lowest < height
    assert set(re.findall(r"https?://[^\"'\s)]+", svg)) == {NAMESPACE}
