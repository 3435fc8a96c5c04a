from __future__ import annotations

import pytest

from everfit.alert.targets import Mail, Webhook, secret, without_secrets
from everfit.errors import SettingsError


def test_a_variable_that_is_not_set_is_an_error_that_names_it() -> None:
    with pytest.raises(SettingsError, match="OPS_SECRET is not set"):
        secret("OPS_SECRET", {"OPS_SECRET": "  "})

    assert secret("", {}) == ""
    assert secret("OPS_SECRET", {"OPS_SECRET": " x \n"}) == "x"


@pytest.mark.parametrize(
    "text",
    [
        "GET https://hooks.example/services/T0000/B1111/XYZXYZ failed",
        "no /services/T0000/B1111/XYZXYZ here",
        "token XYZXYZ is unknown",
        "secret s3cretword",
    ],
)
def test_parts_of_secrets_are_hidden_too(text: str) -> None:
    target = Webhook("team", url_env="URL", secret_env="KEY")
    environ = {"URL": "https://hooks.example/services/T0000/B1111/XYZXYZ", "KEY": "s3cretword"}

    hidden = without_secrets(text, target, environ)

    assert "***" in hidden
    assert "XYZXYZ" not in hidden
    assert "s3cretword" not in hidden


def test_the_password_of_a_mail_is_hidden() -> None:
    mail = Mail("m", "h", "a@b.c", ("d@e.f",), password_env="PW")

    assert without_secrets("535 hunter2 is wrong", mail, {"PW": "hunter2"}) == "535 *** is wrong"


def test_without_secrets_a_text_stays_as_it_is() -> None:
    assert without_secrets("it answered 500", Webhook("w", url_env="URL"), {}) == "it answered 500"
