from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from everfit.alert.sign import headers, verify

BODY = b'{"event": "firing"}'


def test_the_signature_is_the_one_of_the_standard_webhooks_specification() -> None:
    # the example of the specification: secret, id, timestamp, body and the signature they give
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'

    signed = headers(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", body, 1614265330)

    assert signed["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_plain_secret_is_taken_as_its_bytes() -> None:
    signed = headers("s3cret", "a", BODY, 7)

    ours = hmac.new(b"s3cret", b"a.7." + BODY, hashlib.sha256).digest()
    assert signed["webhook-signature"] == "v1," + base64.b64encode(ours).decode()


def test_a_secret_that_only_begins_like_one_of_the_specification_is_taken_as_it_is() -> None:
    sent = headers("whsec_!not base64!", "a", BODY, 7)

    assert verify("whsec_!not base64!", sent, BODY, 7)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("webhook-id", "other"),
        ("webhook-timestamp", "1001"),
        ("webhook-timestamp", "soon"),
        ("webhook-timestamp", "-5"),
        ("webhook-timestamp", "٣"),
        ("webhook-signature", "v1,AAAA"),
        ("webhook-signature", "v2,ä"),
        ("webhook-signature", ""),
    ],
)
def test_a_changed_header_is_refused(name: str, value: str) -> None:
    sent = headers("s3cret", "a", BODY, 1000)

    assert verify("s3cret", sent, BODY, 1000)
    assert not verify("s3cret", sent | {name: value}, BODY, 1000)


def test_an_old_message_and_one_from_the_future_are_refused() -> None:
    sent = headers("s3cret", "a", BODY, 1000)

    assert verify("s3cret", sent, BODY, 1300)
    assert not verify("s3cret", sent, BODY, 1301)
    assert not verify("s3cret", sent, BODY, 699)


def test_one_of_two_signatures_is_enough_while_a_secret_is_changed() -> None:
    old, new = (headers(secret, "a", BODY, 5) for secret in ("old", "new"))
    both = new | {"webhook-signature": f"{old['webhook-signature']} {new['webhook-signature']}"}

    assert verify("old", both, BODY, 5)
    assert verify("new", both, BODY, 5)
    assert not verify("third", both, BODY, 5)
