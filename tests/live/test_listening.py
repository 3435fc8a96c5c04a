"""Sockets that listen before anybody answers, and the folder that only one may have."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from everfit.errors import Refused, StoreBusy, StoreFailed, UsageError
from everfit.live.held import held
from everfit.live.listening import listen, url_of


def test_a_client_can_connect_before_anybody_accepts():
    with listen("127.0.0.1", 0) as bound:
        with socket.create_connection(bound.getsockname(), timeout=5):
            pass

        assert url_of(bound) == f"http://127.0.0.1:{bound.getsockname()[1]}"


def test_an_address_of_six_is_shown_in_brackets():
    try:
        bound = listen("::1", 0)
    except UsageError:
        pytest.skip("no IPv6 on this machine")
    with bound:
        assert url_of(bound).startswith("http://[::1]:")


def test_a_port_that_is_taken_is_refused_with_another():
    with listen("127.0.0.1", 0) as bound:
        port = bound.getsockname()[1]

        with pytest.raises(Refused, match=f"port {port} cannot be had") as told:
            listen("127.0.0.1", port, option="--operate-port")

    assert told.value.do.endswith(f"--operate-port {port + 1}")


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host", "a" * 300])
def test_an_address_that_is_not_ours_is_told(host):
    with pytest.raises(UsageError, match="no address"):
        listen(host, 0)


def test_a_folder_is_held_by_one_process_and_free_when_it_ends(tmp_path):
    code = "import sys\nfrom everfit.live.held import held\nfrom pathlib import Path\n"
    code += "with held(Path(sys.argv[1])):\n    print('held', flush=True)\n    sys.stdin.read()\n"
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"

        with pytest.raises(StoreBusy, match="served already") as told, held(tmp_path):
            pass
        assert str(other.pid) in told.value.got
        other.kill()

    with held(tmp_path):
        pass
    with held(tmp_path):
        pass


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(StoreFailed, match="cannot be used"), held(tmp_path / "file" / "spool"):
        pass
