from __future__ import annotations

import socket
import ssl
import threading
from pathlib import Path

import pytest
import trustme

from everfit.alert.outward import MOST_BYTES, TOLD_CHARS, may_ask, post
from everfit.errors import SettingsError, Unreachable
from tests.alert.receivers import Receiver, receiving

JSON = {"Content-Type": "application/json"}


def test_a_message_arrives_with_its_body_and_headers() -> None:
    with receiving(Receiver([(202, "taken", {})])) as receiver:
        answer = post(receiver.url("/a?b=c"), b"{}", JSON, timeout_s=5, private=True)

    assert (answer.status, answer.text, answer.ok) == (202, "taken", True)
    (got,) = receiver.got
    assert (got.path, got.body, got.headers["Content-Type"]) == (
        "/a?b=c",
        b"{}",
        JSON["Content-Type"],
    )
    assert got.headers["Host"] == f"127.0.0.1:{receiver.port}"


@pytest.mark.parametrize(
    ("address", "plain", "private", "why"),
    [
        ("93.184.216.34", False, False, ""),
        ("93.184.216.34", True, True, "plain http"),
        ("127.0.0.1", False, False, "private"),
        ("127.0.0.1", True, True, ""),
        ("10.1.2.3", False, False, "private"),
        ("192.168.0.9", False, True, ""),
        ("100.64.0.1", False, False, "private"),
        ("169.254.169.254", False, True, "link-local"),
        ("fe80::1", False, True, "link-local"),
        ("::1", False, False, "private"),
        ("::ffff:169.254.169.254", False, True, "link-local"),
        ("64:ff9b::a9fe:a9fe", False, True, "link-local"),
        ("2002:a9fe:a9fe::1", False, True, "link-local"),
        ("fd00:ec2::254", False, False, "private"),
        ("0.0.0.0", False, True, "one machine"),
        ("224.0.0.1", False, True, "one machine"),
        ("255.255.255.255", False, True, "one machine"),
        ("2606:2800:220:1:248:1893:25c8:1946", False, False, ""),
    ],
)
def test_which_addresses_may_be_asked(address: str, plain: bool, private: bool, why: str) -> None:
    said = may_ask(address, plain=plain, private=private)

    assert (why in said) if why else said == ""


@pytest.mark.parametrize(
    "url",
    ["ftp://127.0.0.1/", "file:///etc/passwd", "https://me:pw@127.0.0.1/", "https:///x", "x",
     "https://127.0.0.1:port/"],
)  # fmt: skip
def test_an_address_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="address cannot be"):
        post(url, b"", {}, timeout_s=1, private=True)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1"])
def test_this_machine_is_asked_only_when_the_settings_allow_it(host: str) -> None:
    with receiving(Receiver()) as receiver, pytest.raises((SettingsError, Unreachable)):
        post(receiver.url(host=host), b"", {}, timeout_s=2)

    assert receiver.got == []


def test_a_name_with_one_bad_address_among_good_ones_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def looked_up(*_: object, **__: object) -> list[object]:
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*kind, ("93.184.216.34", 443)), (*kind, ("169.254.169.254", 443))]

    monkeypatch.setattr(socket, "getaddrinfo", looked_up)

    with pytest.raises(SettingsError, match="link-local"):
        post("https://rebound.example/", b"", {}, timeout_s=2, private=True)


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    with receiving(Receiver()) as second:
        away = (302, "", {"Location": second.url()})
        with receiving(Receiver([away])) as first:
            answer = post(first.url(), b"{}", {"webhook-signature": "x"}, timeout_s=5, private=True)

    assert answer.status == 302
    assert (len(first.got), second.got) == (1, [])


def test_a_server_that_is_away_is_told_without_the_path() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]

        with pytest.raises(Unreachable, match="127.0.0.1 could not be asked") as caught:
            post(f"http://127.0.0.1:{port}/T0KEN", b"", {}, timeout_s=2, private=True)

    assert "T0KEN" not in str(caught.value)


def test_a_name_that_does_not_exist_is_told() -> None:
    with pytest.raises(Unreachable, match="no address of 'nowhere.invalid'"):
        post("https://nowhere.invalid/", b"", {}, timeout_s=5)


def test_a_server_that_says_nothing_is_left_after_the_time() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"

        with pytest.raises(Unreachable, match="did not answer within 0.3 s"):
            post(url, b"", {}, timeout_s=0.3, private=True)


def test_a_server_that_sends_a_byte_now_and_then_is_left_after_the_time() -> None:
    receiver = Receiver(drip_s=0.05)

    # each byte comes well within the limit of one read; all of them would take 500 s
    with receiving(receiver), pytest.raises(Unreachable, match="did not answer within 0.5 s"):
        post(receiver.url(), b"", {}, timeout_s=0.5, private=True)


def test_only_the_first_of_a_long_answer_is_read_and_told_on_one_line() -> None:
    long = "a\x1b[31m\r\nb" + "x" * (2 * MOST_BYTES)
    with receiving(Receiver([(500, long, {})])) as receiver:
        answer = post(receiver.url(), b"", {}, timeout_s=5, private=True)

    assert len(answer.text) == TOLD_CHARS
    assert answer.text.startswith("a [31m b")


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [("120", 120, 120), ("Fri, 01 Jan 2100 00:00:00 GMT", 1e9, 1e10), ("soon", None, None)],
)
def test_a_server_may_ask_for_time(header: str, least: float | None, most: float | None) -> None:
    with receiving(Receiver([(429, "", {"Retry-After": header})])) as receiver:
        answer = post(receiver.url(), b"", {}, timeout_s=5, private=True)

    if least is None or most is None:
        assert answer.wait_s is None
    else:
        assert answer.wait_s is not None
        assert least <= answer.wait_s <= most


def test_what_is_no_http_is_told() -> None:
    with socket.socket() as odd:
        odd.bind(("127.0.0.1", 0))
        odd.listen()

        def answer() -> None:
            line, _ = odd.accept()
            line.recv(1000)
            line.sendall(b"220 mail.example ESMTP\r\n")
            line.close()

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        with pytest.raises(Unreachable, match="could not be asked"):
            post(f"http://127.0.0.1:{odd.getsockname()[1]}/", b"", {}, timeout_s=5, private=True)
        thread.join(5)


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """An authority that this process trusts, as an operator's own would be."""
    authority = trustme.CA()
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    return authority


def wrapped(authority: trustme.CA, name: str) -> object:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return lambda line: context.wrap_socket(line, server_side=True)


def test_https_with_a_certificate_that_is_trusted(trusted: trustme.CA) -> None:
    with receiving(Receiver(), wrapped(trusted, "localhost")) as receiver:  # type: ignore[arg-type]
        url = receiver.url(scheme="https", host="localhost")
        assert post(url, b"{}", JSON, timeout_s=5, private=True).ok

    assert len(receiver.got) == 1


@pytest.mark.parametrize("name", ["other.example", "localhost"])
def test_https_with_a_certificate_of_another_is_refused_and_nothing_is_sent(
    trusted: trustme.CA, name: str
) -> None:
    authority = trusted if name == "other.example" else trustme.CA()

    with (
        receiving(Receiver(), wrapped(authority, name)) as receiver,  # type: ignore[arg-type]
        pytest.raises(Unreachable, match="certificate of localhost is not valid"),
    ):
        post(receiver.url(scheme="https", host="localhost"), b"", {}, timeout_s=5, private=True)

    assert receiver.got == []


def test_a_server_without_tls_is_told(trusted: trustme.CA) -> None:
    with (
        receiving(Receiver()) as receiver,
        pytest.raises(Unreachable, match="does not speak TLS"),
    ):
        post(receiver.url(scheme="https"), b"", {}, timeout_s=5, private=True)

    assert receiver.got == []
