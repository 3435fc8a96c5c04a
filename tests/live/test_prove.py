"""A version is proved in a process with limits; one that is not sealed is not even opened."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from everfit.live import prove
from everfit.live.orders import Placed
from tests.live.coins import pack_coin

KEY = b"k" * 32


@pytest.fixture
def version(tmp_path: Path) -> Placed:
    folder = tmp_path / "v1"
    folder.mkdir()
    return Placed(1, str(folder), pack_coin(folder, 1, KEY))


def rules(checks) -> dict[str, bool | None]:
    return {check.rule: check.passed for check in checks}


def test_a_sound_version_passes_all_three_checks(version):
    checks = prove.proved(version, KEY)

    assert prove.holds(checks)
    assert rules(checks) == {
        "files as packed": True,
        "loads in a fresh process": True,
        "reproduces its golden rows": True,
    }


def test_a_changed_file_is_never_opened(version, monkeypatch):
    (Path(version.folder) / "plan.json").write_text("{}")
    monkeypatch.setattr(prove, "load_fresh", lambda *_, **__: pytest.fail("it was opened"))

    checks = prove.proved(version, KEY)

    assert not prove.holds(checks)
    assert "plan.json" in checks[0].note


@pytest.mark.parametrize("change", ["another store's key", "another version's manifest"])
def test_a_version_of_somebody_else_is_refused(version, change):
    other = Placed(1, version.folder, "ab" * 32)

    if change == "another store's key":
        seal = prove.sealed(version, b"x" * 32)
    else:
        seal = prove.sealed(other, KEY)

    assert seal.passed is False


def test_a_version_that_answers_otherwise_than_when_it_was_packed_is_refused(tmp_path):
    folder = tmp_path / "v1"
    folder.mkdir()
    pack_coin(folder, 1, KEY)
    golden = json.loads((folder / "golden.json").read_text())
    golden[0]["expected"] = [0.5, 0.5]
    (folder / "golden.json").write_text(json.dumps(golden))

    done = subprocess.run(
        [sys.executable, "-m", "everfit.live.prove", str(folder)], capture_output=True, text=True
    )

    assert done.returncode == 1
    assert "golden rows differ" in json.loads(done.stdout)["error"]


def test_the_process_that_opens_a_version_can_write_no_file_and_run_for_a_minute_at_most(tmp_path):
    code = (
        "import os, resource as r, sys\n"
        "from everfit.live import prove\n"
        "prove.main(['/nowhere'])\n"
        "print(*[r.getrlimit(w)[0] for w in (r.RLIMIT_FSIZE, r.RLIMIT_CPU, r.RLIMIT_CORE)])\n"
        "try:\n"
        "    os.write(os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY), b'x')\n"
        "except OSError as error:\n"
        "    print('refused')\n"
    )
    place = tmp_path / "never-written"

    done = subprocess.run([sys.executable, "-c", code, str(place)], capture_output=True, text=True)

    assert done.stdout.splitlines()[-2:] == ["0 60 0", "refused"]
