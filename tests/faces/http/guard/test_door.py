"""Hosts, tokens and scopes, at the door and over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from everfit.errors import SettingsError
from everfit.faces.http.errors import HostRefused, OriginRefused, ScopeMissing, TokenMissing
from everfit.faces.http.guard.door import Caller, Door
from everfit.faces.http.guard.tokens import FILE, Tokens, make_token, revoke_token
from tests.faces.http.working import Keeper, wait, working

PREDICT = "/models/coin/predict"
HOST = {b"host": b"127.0.0.1:8321"}


def door(path: Path | None = None, **options: object) -> Door:
    given: dict[str, object] = {"hosts": ("127.0.0.1", "localhost", "::1"), "required": True}
    return Door(tokens=Tokens(path), **(given | options))  # type: ignore[arg-type]


@pytest.mark.parametrize("host", [b"127.0.0.1", b"LOCALHOST:99", b"[::1]:8321", b"localhost."[:-1]])
def test_our_own_names_are_let_in_with_any_port(host: bytes) -> None:
    assert door().enter({b"host": host}, "127.0.0.1", ()) == Caller("", "127.0.0.1")


@pytest.mark.parametrize("host", [b"192.0.2.7", b"10.1.2.3:8321", b"[2001:db8::1]:8321"])
def test_an_address_cannot_be_rebound_and_is_let_in(host: bytes) -> None:
    assert door().enter({b"host": host}, "10.0.0.1", ()) == Caller("", "10.0.0.1")


def test_a_page_at_another_address_is_refused() -> None:
    with pytest.raises(OriginRefused):
        door().enter({b"host": b"192.0.2.7", b"origin": b"http://192.0.2.8"}, "10.0.0.1", ())


@pytest.mark.parametrize(
    "host",
    [
        b"",
        b"10.1.2.3.evil.example",
        b"2130706433",
        b"evil.example",
        b"127.0.0.1.evil.example",
        b"localhost@evil.example",
        b"\xff",
        b"[::1",
    ],
)
def test_another_name_is_refused(host: bytes) -> None:
    with pytest.raises(HostRefused):
        door().enter({b"host": host}, "127.0.0.1", ())


def test_a_page_of_another_site_is_refused_and_one_of_ours_is_not() -> None:
    with pytest.raises(OriginRefused):
        door().enter({**HOST, b"origin": b"https://evil.example"}, "127.0.0.1", ())
    with pytest.raises(OriginRefused):
        door().enter({**HOST, b"origin": b"null"}, "127.0.0.1", ())
    with pytest.raises(OriginRefused):
        door().enter({**HOST, b"origin": b"http://["}, "127.0.0.1", ())
    with pytest.raises(OriginRefused):
        door().enter({**HOST, b"origin": b"http://evil\xbd\xff"}, "127.0.0.1", ())

    assert door().enter({**HOST, b"origin": b"http://localhost:3000"}, "127.0.0.1", ())


def test_a_token_opens_what_its_scopes_say(tmp_path: Path) -> None:
    path = tmp_path / FILE
    text = make_token(path, "shop", ["predict"]).encode()
    shut = door(path)

    assert shut.enter({**HOST, b"authorization": b"Bearer " + text}, "10.0.0.1", ("predict",)) == (
        Caller("shop", "10.0.0.1")
    )
    assert shut.plain(b"Bearer " + text)
    with pytest.raises(ScopeMissing, match="'shop' may not do this"):
        shut.enter({**HOST, b"authorization": b"bearer " + text}, "10.0.0.1", ("outcomes",))
    for sent in (b"Bearer wrong", b"Basic " + text, text, b"Bearer", b"Bearer \xff\xfe"):
        assert not shut.plain(sent)
        with pytest.raises(TokenMissing):
            shut.enter({**HOST, b"authorization": sent}, "10.0.0.1", ("predict",))
    with pytest.raises(TokenMissing):
        shut.enter(HOST, "10.0.0.1", ("predict",))
    assert not shut.plain(None)


def test_a_wrong_token_is_refused_even_where_none_is_needed(tmp_path: Path) -> None:
    open_ = door(tmp_path / FILE, required=False)

    assert open_.enter(HOST, "127.0.0.1", ("predict",)) == Caller("", "127.0.0.1")
    with pytest.raises(TokenMissing, match="a valid token is needed"):
        open_.enter({**HOST, b"authorization": b"Bearer ef_wrong"}, "127.0.0.1", ("predict",))


def test_a_token_whose_time_is_over_is_refused(tmp_path: Path) -> None:
    path = tmp_path / FILE
    text = make_token(path, "old", expires=datetime.now(UTC) - timedelta(seconds=1)).encode()

    with pytest.raises(TokenMissing) as refused:
        door(path).enter({**HOST, b"authorization": b"Bearer " + text}, "10.0.0.1", ("predict",))

    assert "expired" in refused.value.got
    assert not door(path).plain(b"Bearer " + text)


def test_a_user_that_a_trusted_proxy_names_is_let_in_and_no_other() -> None:
    behind = door(proxies=("10.0.0.0/8",), header="X-Forwarded-User")
    named = {**HOST, b"x-forwarded-user": b"ann", b"x-forwarded-for": b"8.8.8.8, 192.0.2.7"}

    assert behind.enter(named, "10.1.2.3", ("predict",)) == Caller("proxy:ann", "192.0.2.7")
    for address in ("192.0.2.9", "", "127.0.0.1"):
        with pytest.raises(TokenMissing):
            behind.enter(named, address, ("predict",))
    with pytest.raises(TokenMissing):
        behind.enter(HOST, "10.1.2.3", ("predict",))


def test_a_proxy_that_is_no_network_is_refused() -> None:
    with pytest.raises(SettingsError, match="no network"):
        door(proxies=("10.0.0.1/8",))


@pytest.fixture(scope="module")
def keeper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keeper]:
    folder = tmp_path_factory.mktemp("door")
    make_token(folder / FILE, "first", ["read"])
    with working(
        folder, tokens=str(folder / FILE), require_token=True, hosts=["models.example"]
    ) as made:
        yield made


def asks(keeper: Keeper, token: str | None, **headers: str) -> httpx.Client:
    given = headers | ({"authorization": f"Bearer {token}"} if token else {})
    return httpx.Client(base_url=keeper.url, headers=given, timeout=20.0)


def test_over_http_a_token_is_needed_for_all_but_health(keeper: Keeper) -> None:
    with asks(keeper, None) as client:
        for method, path in (
            ("POST", PREDICT), ("POST", "/models/coin/outcomes"), ("GET", "/models"),
            ("GET", "/metrics"), ("GET", "/openapi.json"), ("POST", "/v2/models/coin/infer"),
            ("GET", "/v2/models/coin"),
        ):  # fmt: skip
            answer = client.request(method, path, json={} if method == "POST" else None)

            assert answer.status_code == 401, path
            assert answer.headers["www-authenticate"] == 'Bearer realm="everfit"'
        for path in ("/health", "/v2/health/live", "/v2/health/ready"):
            assert client.get(path).status_code == 200


def test_over_http_a_new_token_works_within_a_second_and_a_revoked_one_no_more(
    keeper: Keeper,
) -> None:
    text = make_token(keeper.folder / FILE, "shop", ["predict"])
    with asks(keeper, text) as client:
        assert wait(lambda: client.post(PREDICT, json={"size": 1}).status_code == 200, 5.0)
        refused = client.post("/models/coin/outcomes", json={"id": "a", "outcome": 1})

        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "ScopeMissing")
        assert text not in refused.text
        revoke_token(keeper.folder / FILE, "shop")
        assert wait(lambda: client.post(PREDICT, json={"size": 1}).status_code == 401, 5.0)


def test_over_http_a_wrong_token_stands_in_no_answer_and_no_log(keeper: Keeper) -> None:
    with asks(keeper, "ef_this-is-a-secret") as client:
        answer = client.post(PREDICT, json={})

    assert answer.status_code == 401
    assert "this-is-a-secret" not in answer.text
    assert not any("this-is-a-secret" in line for line in keeper.errors)


def test_over_http_hosts_are_looked_at_before_tokens(keeper: Keeper) -> None:
    with asks(keeper, None, host="evil.example") as client:
        assert client.get("/health").status_code == 421
    with asks(keeper, None, host="models.example:443") as client:
        assert client.get("/health").status_code == 200
    with asks(keeper, None, origin="https://evil.example") as client:
        assert client.get("/health").status_code == 403
