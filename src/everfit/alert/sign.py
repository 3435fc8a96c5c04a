"""Signatures of messages, as the Standard Webhooks specification has them.

``webhook-signature: v1,BASE64`` is HMAC-SHA256 over ``id.timestamp.body``. A receiver checks it,
refuses a timestamp that is too old, and remembers ids: a message that was recorded on its way can
then not be played again.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping

TOLERANCE_S = 300.0
_PREFIX = "whsec_"


def headers(secret: str, identity: str, body: bytes, at_s: float) -> dict[str, str]:
    """The three headers of a signed message; ``at_s`` in seconds since 1970.

    Examples
    --------
    >>> headers("s3cret", "churn/loss#1.0", b"{}", 1_700_000_000)["webhook-timestamp"]
    '1700000000'
    """
    stamp = f"{int(at_s)}"
    return {
        "webhook-id": identity,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{_signature(secret, identity, stamp, body)}",
    }


def verify(
    secret: str,
    received: Mapping[str, str],
    body: bytes,
    now_s: float,
    *,
    tolerance_s: float = TOLERANCE_S,
) -> bool:
    """Whether a message is ours and fresh; the receiver must still remember ``webhook-id``.

    Examples
    --------
    >>> sent = headers("s3cret", "churn/loss#1.0", b"{}", 1000)
    >>> verify("s3cret", sent, b"{}", 1010), verify("s3cret", sent, b"{ }", 1010)
    (True, False)
    >>> verify("s3cret", sent, b"{}", 1000 + 3600)
    False
    """
    named = {name.lower(): value for name, value in received.items()}
    stamp, identity = named.get("webhook-timestamp", ""), named.get("webhook-id", "")
    if not stamp.isascii() or not stamp.isdigit() or abs(now_s - int(stamp)) > tolerance_s:
        return False
    ours = f"v1,{_signature(secret, identity, stamp, body)}".encode()
    given = named.get("webhook-signature", "").split()
    # while a secret is changed there may be two
    return any(hmac.compare_digest(ours, one.encode()) for one in given)


def _signature(secret: str, identity: str, stamp: str, body: bytes) -> str:
    signed = f"{identity}.{stamp}.".encode() + body
    return base64.b64encode(hmac.digest(_key(secret), signed, hashlib.sha256)).decode()


def _key(secret: str) -> bytes:
    if secret.startswith(_PREFIX):
        try:
            return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
        except binascii.Error:
            pass  # a secret of somebody's own that begins like this
    return secret.encode()
