"""A version is proved in a process with limits; one that is not sealed is not even opened."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from everfit.live import prove
from everfit.live.orders import Placed
from everfit.release import gates
from tests.live.coins import pack_coin, wait

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
    monkeypatch.setattr(gates, "load_fresh", lambda *_, **__: pytest.fail("it was opened"))

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


@pytest.fixture
def spare(monkeypatch):
    made = prove.Spare()
    monkeypatch.setattr(prove, "_spare", made)
    made.soon(0.0)
    assert wait(lambda: made._process is not None)
    yield made
    made.close()


def test_a_spare_finds_what_a_fresh_process_finds(version, spare, monkeypatch):
    monkeypatch.setattr(gates, "load_fresh", lambda *_, **__: pytest.fail("no spare was used"))
    first = spare._process

    checks = prove.proved(version, KEY)

    assert prove.holds(checks)
    assert first.returncode == 0
    assert wait(lambda: spare._process not in (None, first))  # the next one


def test_a_spare_refuses_what_does_not_load(version, spare):
    plan = Path(version.folder) / "plan.json"
    plan.write_text(plan.read_text().replace('"constant"', '"oracle"'))

    fresh = spare.load(version)

    assert not fresh.loaded
    assert "engine" in fresh.error


def test_a_spare_that_was_killed_condemns_nobody(version, spare):
    spare._process.kill()
    spare._process.wait()

    assert prove.holds(prove.proved(version, KEY))


def test_a_spare_ends_with_whoever_started_it(spare):
    process = spare._process

    spare.close()

    assert process.returncode == 0
    assert spare.load(Placed(1, "nowhere", "ab" * 32)) is None
