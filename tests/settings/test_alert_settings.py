from __future__ import annotations

from pathlib import Path

import pytest

from everfit.alert.targets import Mail, Webhook
from everfit.errors import SettingsError
from everfit.settings import Settings, read_settings

FULL = """
[alerts.webhooks.ops]
url = "https://ops.example:8443/everfit?x=1"
secret_env = "OPS_SECRET"
private = true
timeout = "3s"
models = ["churn"]
states = ["needs_you"]

[alerts.slack.team]
url_env = "SLACK_URL"

[alerts.email.people]
host = "mail.example"
security = "ssl"
user = "everfit"
password_env = "MAIL_PASSWORD"
sender = "everfit@shop.example"
to = ["maria@shop.example", "li@shop.example"]
"""
MAIL = "host = 'm'\nsender = 'a@b.example'\nto = 'c@d.example'\n"


def read(folder: Path, text: str) -> Settings:
    file = folder / "everfit.toml"
    file.write_text(text, encoding="utf-8")
    return read_settings(file, environ={})


def test_targets_are_read_in_the_order_of_their_kinds(tmp_path: Path) -> None:
    hook, slack, mail = read(tmp_path, FULL).alerts

    assert hook == Webhook(
        "ops", url="https://ops.example:8443/everfit?x=1", secret_env="OPS_SECRET", private=True,
        timeout_s=3.0, models=("churn",), states=("needs_you",),
    )  # fmt: skip
    assert slack == Webhook("team", url_env="SLACK_URL", slack=True)
    assert mail == Mail(
        "people", host="mail.example", sender="everfit@shop.example",
        to=("maria@shop.example", "li@shop.example"), port=465, security="ssl", user="everfit",
        password_env="MAIL_PASSWORD",
    )  # fmt: skip


@pytest.mark.parametrize(("security", "port"), [("starttls", 587), ("ssl", 465), ("none", 25)])
def test_the_port_follows_from_the_security(tmp_path: Path, security: str, port: int) -> None:
    text = f"[alerts.email.a]\n{MAIL}security = '{security}'\n"

    (mail,) = read(tmp_path, text).alerts

    assert isinstance(mail, Mail)
    assert mail.port == port


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (
            "[alerts.webhooks.ops]\nprivate = true\n",
            "line 1: the target 'ops' needs url or url_env",
        ),
        ("[alerts.webhooks.o]\nurl = 'https://a.b'\nurl_env = 'X'\n", "needs url or url_env"),
        ("[alerts.slack.team]\n", "needs url_env"),
        ("[alerts.slack.team]\nurl = 'https://x.example'\n", "line 2: there is no setting 'url'"),
        ("[alerts.webhooks.ops]\nurl = 'ftp://a.b'\n", "line 2: .*url cannot be used"),
        ("[alerts.webhooks.ops]\nurl = 'https://me:pw@a.b/'\n", "line 2: .*url cannot be used"),
        ("[alerts.webhooks.ops]\nurl = 'https://a.b:99999/'\n", "line 2: .*url cannot be used"),
        ("[alerts.webhooks.ops]\nurl_env = 'https://a.b'\n", "line 2: .*url_env cannot be used"),
        ("[alerts.webhooks.Ops]\nurl = 'https://a.b'\n", "line 1: 'Ops' cannot name a target"),
        (
            "[alerts.webhooks.a]\nurl = 'https://a.b'\n[alerts.slack.a]\nurl_env = 'X'\n",
            "line 3: 'a' cannot name a target",
        ),
        ("[alerts.email.a]\nhost = 'm'\n", "line 1: the target 'a' needs sender"),
        ("[alerts.email.a]\nhost = 'm'\nsender = 'me'\n", "line 3: .*sender cannot be used"),
        ("[alerts.email.a]\nto = []\n", "line 2: .*to cannot be used"),
        ('[alerts.email.a]\nto = "x@y.example\\nBcc"\n', "to cannot be used"),
        (f"[alerts.email.a]\n{MAIL}security = 'tls'\n", "line 5: .*security cannot be used"),
        (f"[alerts.email.a]\n{MAIL}port = 0\n", "line 5: .*port cannot be used"),
        (f"[alerts.email.a]\n{MAIL}password_env = 'X'\n", "would send a password"),
        (
            f"[alerts.email.a]\n{MAIL}user = 'u'\npassword_env = 'X'\nsecurity = 'none'\n",
            "would send a password",
        ),
        ("[alerts.webhooks.a]\nurl = 'https://a.b'\nstates = ['red']\n", "line 3: .*states"),
        ("[alerts.webhooks.a]\nurl = 'https://a.b'\ntimeout = 0\n", "line 3: .*timeout"),
        ("[alerts.mail.a]\n", "line 1: there is no setting 'mail'"),
        ("[alert]\n", "line 1: there is no setting 'alert'"),
    ],
)
def test_a_target_that_could_tell_nobody_is_refused_with_its_line(
    tmp_path: Path, text: str, what: str
) -> None:
    with pytest.raises(SettingsError, match=what) as caught:
        read(tmp_path, text)

    assert caught.value.expected


def test_a_secret_cannot_stand_in_the_file(tmp_path: Path) -> None:
    for name in ("secret", "password", "token"):
        with pytest.raises(SettingsError, match=f"there is no setting '{name}'"):
            read(tmp_path, f"[alerts.webhooks.a]\nurl = 'https://a.b'\n{name} = 'x'\n")
