from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from everfit.alert.outbox import Channel, Outbox, send
from everfit.alert.targets import Mail
from tests.alert.looks import DAY0, FLOOR, Turns, firing, health

PASSWORD = {"MAIL_PASSWORD": "hunter2"}


class Box:
    """What a mail server took; ``refuse`` names receivers that it does not know."""

    def __init__(self) -> None:
        self.mails: list[tuple[list[str], EmailMessage]] = []
        self.refuse: set[str] = set()
        self.answer = "250 OK"

    async def handle_RCPT(
        self, server: Any, session: Any, envelope: Any, address: str, options: Any
    ) -> str:
        if address in self.refuse:
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.answer.startswith("250"):
            made = message_from_bytes(envelope.content, policy=policy.default)
            self.mails.append((envelope.rcpt_tos, made))  # type: ignore[arg-type]
        return self.answer


def check(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
    ok = (data.login, data.password) == (b"everfit", b"hunter2")
    return AuthResult(success=ok, handled=ok)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def context(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> ssl.SSLContext:
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(made)
    return made


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def mail_server(box: Box, **settings: Any) -> Iterator[int]:
    controller = Controller(box, hostname="localhost", port=free_port(), **settings)
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()


def people(port: int, **changes: Any) -> Mail:
    plain = {
        "host": "localhost", "port": port, "sender": "everfit@shop.example",
        "to": ("maria@shop.example",), "security": "none", "timeout_s": 5.0,
    }  # fmt: skip
    return Mail("people", **(plain | changes))


def sent(target: Mail, to: str = "maria@shop.example") -> Any:
    return send(Channel(target, to), firing(), "abc", DAY0, PASSWORD)


def test_a_mail_arrives_as_text_and_as_simple_html() -> None:
    box = Box()
    with mail_server(box) as port:
        tried = sent(people(port))

    assert tried.ok
    ((to, mail),) = box.mails
    assert to == ["maria@shop.example"]
    assert mail["Subject"] == "[Needs you] churn: loss is off"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Date"].datetime == DAY0
    text, html = (mail.get_body((kind,)).get_content() for kind in ("plain", "html"))  # type: ignore[union-attr]
    assert "You need to do  nothing yet" in text
    assert "<td>nothing yet</td>" in html
    assert "svg" not in html


def test_starttls_with_login(context: ssl.SSLContext) -> None:
    box = Box()
    with mail_server(
        box, tls_context=context, require_starttls=True, authenticator=check,
        auth_required=True,
    ) as port:  # fmt: skip
        told = people(port, security="starttls", user="everfit", password_env="MAIL_PASSWORD")
        assert sent(told).ok

    assert len(box.mails) == 1


def test_tls_from_the_start_with_login(context: ssl.SSLContext) -> None:
    box = Box()
    with mail_server(box, ssl_context=context, authenticator=check, auth_require_tls=False) as port:
        told = people(port, security="ssl", user="everfit", password_env="MAIL_PASSWORD")
        assert sent(told).ok

    assert len(box.mails) == 1


def test_a_wrong_password_is_told_without_it(context: ssl.SSLContext) -> None:
    box = Box()
    environ = {"MAIL_PASSWORD": "wrong-0ne"}
    with mail_server(box, tls_context=context, authenticator=check) as port:
        target = people(port, security="starttls", user="everfit", password_env="MAIL_PASSWORD")
        tried = send(Channel(target, "a@b.example"), firing(), "abc", DAY0, environ)

    assert not tried.ok
    assert "did not take the mail: 535" in tried.told
    assert "wrong-0ne" not in tried.told
    assert box.mails == []


def test_a_certificate_that_nobody_trusts_gets_no_password(
    context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    monkeypatch.setenv("SSL_CERT_FILE", str(other))
    box = Box()
    with mail_server(box, tls_context=context, authenticator=check) as port:
        told = people(port, security="starttls", user="everfit", password_env="MAIL_PASSWORD")
        tried = sent(told)

    assert tried.told.startswith("the certificate of localhost is not valid")
    assert box.mails == []


def test_a_server_without_starttls_gets_neither_password_nor_mail() -> None:
    box = Box()
    with mail_server(box, authenticator=check, auth_require_tls=False) as port:
        told = people(port, security="starttls", user="everfit", password_env="MAIL_PASSWORD")
        tried = sent(told)

    assert not tried.ok
    assert "STARTTLS" in tried.told
    assert box.mails == []


def test_a_server_that_is_away_is_told() -> None:
    assert sent(people(free_port())).told.startswith("localhost could not be reached")


def test_a_server_that_does_not_take_the_mail_is_told() -> None:
    box = Box()
    box.answer = "452 too much mail"
    with mail_server(box) as port:
        tried = sent(people(port))

    assert tried.told == "localhost did not take the mail: 452 too much mail"


def test_a_silent_server_is_left_after_the_time() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        tried = sent(people(silent.getsockname()[1], host="127.0.0.1", timeout_s=0.3))

    assert not tried.ok


def test_a_person_that_is_refused_costs_the_others_nothing(tmp_path: Path) -> None:
    box = Box()
    box.refuse = {"gone@shop.example"}
    turns = Turns(tmp_path)
    with mail_server(box) as port:
        told = people(port, to=("gone@shop.example", "maria@shop.example"))
        outbox = Outbox(turns.store, lambda: (told,), source="abc", clock=lambda: turns.now)
        turns.look(health(FLOOR))
        first = outbox.deliver()
        box.refuse = set()
        second = outbox.deliver(patient=False)

    assert (first.taken, first.waiting, second.taken) == (1, 1, 1)
    assert "does not know the address: 550 no such user" in first.errors[0]
    assert [to for to, _ in box.mails] == [["maria@shop.example"], ["gone@shop.example"]]
    assert "shop.example" not in str(turns.store.mirrored("alert:people"))
    turns.store.close()


def test_messages_of_one_alert_belong_together_in_a_mail_program() -> None:
    box = Box()
    with mail_server(box) as port:
        channel = Channel(people(port), "maria@shop.example")
        for message in (firing(), firing(event="resolved", part=1), firing(number=2)):
            assert send(channel, message, "abc", DAY0, {}).ok

    first, end, other = (mail for _, mail in box.mails)
    assert end["References"] == end["In-Reply-To"] == first["Message-ID"]
    assert end["Message-ID"] != first["Message-ID"]
    assert other["References"] is None
    assert end["Subject"].startswith("[Resolved] churn: over:")


@pytest.mark.parametrize("name", ["line\r\nBcc: all@shop.example", "ä" * 300])
def test_a_headline_cannot_write_headers(name: str) -> None:
    box = Box()
    odd = firing(cause=replace(firing().cause, headline=name))
    with mail_server(box) as port:
        assert send(Channel(people(port), "maria@shop.example"), odd, "abc", DAY0, {}).ok

    ((to, mail),) = box.mails
    assert to == ["maria@shop.example"]
    assert mail["Bcc"] is None
