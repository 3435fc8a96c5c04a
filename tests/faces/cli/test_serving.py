"""The commands of a server, on a real store: what they print, refuse and change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from everfit.errors import Refused, SettingsError
from everfit.faces.cli.everywhere import Face
from everfit.faces.cli.main import main
from everfit.faces.cli.serving.start import (
    Asked,
    Place,
    merged,
    place_of,
    refuse_strangers,
    saying,
    serving_of,
)
from everfit.faces.http.guard.tokens import FILE, list_tokens, make_token
from everfit.faces.http.machine.serving import Serving
from everfit.house import House
from everfit.live.traffic.split import arms_of
from everfit.records import Because
from everfit.settings import SERVE, Settings, read_settings
from tests.live.coins import coin_store, house_at
from tests.live.logged import Answered, fill


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    sound = (Because("files as packed", True),)
    monkeypatch.setattr(House, "checks", lambda self, version: sound)
    monkeypatch.chdir(tmp_path)
    for word in ("EVERFIT_STORE", "EVERFIT_CONFIG"):
        monkeypatch.delenv(word, raising=False)
    return coin_store(tmp_path / ".everfit")


def arms(store: Path) -> str:
    with house_at(store) as house:
        found = arms_of(house, "coin")
        assert found is not None
        return f"{found.champion} {found.canary} {found.share:g} {found.holdout:g} {found.shadow}"


def told(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(list(words))
    out, err = capsys.readouterr()
    return code, out, err


def test_a_version_is_promoted_with_a_yes_and_a_reason(store, capsys):
    code, out, _ = told(capsys, "promote", "coin", "v2", "--yes", "--reason", "better")

    assert code == 0
    assert "Promoted v2 by hand; v1 is now previous: better" in out
    assert arms(store) == "2 None 0 0 None"


@pytest.mark.parametrize(
    "words", [["promote", "coin", "v2"], ["canary", "coin", "v2", "--share", "0.1"],
              ["forget", "coin", "--key", "k1"]],
)  # fmt: skip
def test_what_changes_something_needs_a_yes(store, capsys, words):
    code, _, err = told(capsys, *words)

    assert code == 6
    assert "needs a yes" in err
    assert arms(store) == "1 None 0 0 None"


def test_a_canary_comes_and_goes(store, capsys):
    told(capsys, "canary", "coin", "v2", "--share", "0.1", "--holdout", "0.05", "--yes")
    assert arms(store) == "1 2 0.1 0.05 None"

    code, out, _ = told(capsys, "canary", "coin", "--share", "0")
    assert code == 0
    assert "v2 answers no keys any more" in out
    assert arms(store) == "1 None 0 0.05 None"


def test_a_shadow_comes_and_goes(store, capsys):
    code, out, _ = told(capsys, "shadow", "coin", "v2", "--json")
    assert code == 0
    assert json.loads(out)["decision"]["kind"] == "shadow"
    assert arms(store) == "1 None 0 0 2"

    assert told(capsys, "shadow", "coin", "--off")[0] == 0
    assert arms(store) == "1 None 0 0 None"


@pytest.mark.parametrize("words", [["shadow", "coin"], ["shadow", "coin", "v2", "--off"]])
def test_a_shadow_is_either_begun_or_ended(store, capsys, words):
    code, _, err = told(capsys, *words)

    assert code == 2
    assert "a version, or an end" in err


def test_a_misspelt_model_is_told_with_the_whole_command(store, capsys):
    code, _, err = told(capsys, "promote", "con", "v2", "--yes")

    assert code == 6
    assert "did you mean 'coin'? everfit promote coin v2 --yes" in err


def test_traffic_shows_arms_the_test_of_their_split_and_then_their_losses(store, capsys):
    told(capsys, "canary", "coin", "v2", "--share", "0.5", "--yes")
    fill(store, [Answered("first", "canary", 2)], later_s=1.0, tag="f").close()
    rows = [Answered(f"a{i}", "champion", 1, 0.6, "heads") for i in range(30)]
    rows += [Answered(f"b{i}", "canary", 2, 0.8, "heads") for i in range(30)]
    fill(store, rows, later_s=30.0).close()

    code, out, _ = told(capsys, "traffic", "coin")

    assert code == 0
    assert "champion  v1       50.00%  50.00%    30    30" in out
    assert "Split    as asked (p 1, limit 0.01, over 60 keys" in out
    assert "mean log loss on requests whose outcome is known" in out
    assert "canary against the champion on other keys: saves 0.288" in out

    _, out, _ = told(capsys, "traffic", "coin", "--json")
    plain = json.loads(out)
    assert plain["split"]["sound"] is True
    assert plain["losses"]["of"]["champion"]["n"] == 30
    assert plain["gains"]["canary"]["mid"] == pytest.approx(0.2877, abs=1e-4)


def test_traffic_reads_no_loss_when_the_split_is_broken(store, capsys):
    told(capsys, "canary", "coin", "v2", "--share", "0.5", "--yes")
    fill(store, [Answered("first", "canary", 2)], later_s=1.0, tag="f").close()
    rows = [Answered(f"a{i}", "champion", 1, 0.6, "heads") for i in range(60)]
    fill(store, rows, later_s=30.0).close()

    _, out, _ = told(capsys, "traffic", "coin")
    assert "broken: the arms did not get the shares asked for" in out
    assert "Loss     not read: split is broken" in out
    assert "mean log loss" not in out

    _, out, _ = told(capsys, "traffic", "coin", "--json")
    plain = json.loads(out)
    assert (plain["split"]["sound"], plain["losses"], plain["gains"]) == (False, None, None)


def test_traffic_of_a_model_that_was_never_served_says_so(store, capsys):
    code, _, err = told(capsys, "traffic", "coin")

    assert code == 6
    assert "nothing was recorded of 'coin' yet" in err


def test_a_key_is_forgotten(store, capsys):
    fill(store, [Answered("k1", "champion", 1), Answered("k2", "champion", 1)]).close()

    code, out, _ = told(capsys, "forget", "coin", "--key", "k1", "--yes")

    assert code == 0
    assert out.startswith("Removed 1 predictions and 0 outcomes of 'k1'")


def test_a_token_may_not_operate_unless_it_is_asked_for(store, capsys):
    told(capsys, "token", "make", "shop")
    told(capsys, "token", "make", "ops", "--scope", "operate")

    listed = json.loads(told(capsys, "--json", "token", "list")[1])["tokens"]

    assert {one["name"]: one["scopes"] for one in listed} == {
        "shop": ["predict", "outcomes", "read"],
        "ops": ["operate"],
    }


def test_a_token_is_made_listed_and_revoked_and_its_text_is_kept_nowhere(store, capsys):
    code, out, _ = told(capsys, "token", "make", "shop", "--scope", "predict", "--days", "7")
    text = out.strip()
    assert code == 0
    assert text.startswith("ef_")
    assert all(text not in p.read_text(errors="replace") for p in store.rglob("*") if p.is_file())

    _, out, _ = told(capsys, "token", "list")
    assert "shop" in out
    assert "predict" in out
    assert text not in out

    assert told(capsys, "token", "revoke", "shop")[0] == 0
    assert list_tokens(store / FILE) == []
    assert told(capsys, "token", "make")[0] == 2


# what do_serve makes of settings and options


PLACE = Place(".everfit", Path("/s"))


def serving(asked: Asked = Asked(), **serve: Any) -> dict[str, Any]:  # noqa: B008 - it is frozen
    return serving_of(merged(Settings(serve=serve), asked), PLACE)


def test_counters_lie_with_the_spools_which_replicas_do_not_share():
    assert serving()["metrics"] == "/s/spool/metrics"
    assert serving(spool="/own")["metrics"] == "/own/metrics"


def test_the_command_line_wins_over_the_file_and_the_file_over_defaults():
    values = merged(Settings(serve={"port": 9000, "workers": 3}), Asked(port=9001))

    assert (values["port"], values["workers"], values["host"]) == (9001, 3, "127.0.0.1")


def test_every_setting_of_the_file_is_one_that_keeper_or_worker_understands(tmp_path):
    file = tmp_path / "everfit.toml"
    file.write_text(
        "[serve]\nhosts = ['a.example']\nread_s = 5\nrate_per_s = 2.5\naccess_log = true\n"
        "keep_alive_s = 3\nask_s = 1\nrate_burst = 5\nconnections_per_client = 9\n"
        "traces = false\nrequire_token = true\n"
        "proxies = ['10.0.0.0/8']\nproxy_header = 'x-user'\nworkers = 2\ndurability = 'fsync'\n"
        "keep_days = 9\nspool = 'here'\ngrace_s = 1\nhost = '::1'\nport = 1\noperate_port = 2\n"
        "[serve.limits]\nrows = 7\n"
    )
    settings = read_settings(file, environ={})
    assert settings.serve.keys() - {"limits"} == SERVE.keys()

    found = Serving.from_plain(serving_of(merged(settings, Asked()), PLACE))

    assert (found.hosts, found.read_s, found.limits.rows) == (("a.example",), 5.0, 7)
    assert found.require_token
    assert settings.serve["spool"] == str(tmp_path / "here")


@pytest.mark.parametrize(
    ("host", "serve", "needed"),
    [("127.0.0.1", {}, False), ("localhost", {}, False), ("0.0.0.0", {}, True),
     ("127.0.0.1", {"require_token": True}, True), ("10.0.0.7", {}, True)],
)  # fmt: skip
def test_a_token_is_needed_wherever_others_can_reach(host, serve, needed):
    assert serving(Asked(host=host), **serve)["require_token"] is needed


def test_strangers_are_refused_until_there_is_a_token_or_a_proxy(tmp_path):
    tokens = tmp_path / FILE
    with pytest.raises(Refused, match="there is no token"):
        refuse_strangers("0.0.0.0", tokens, serving())

    proxied = {"proxy_header": "x-user", "proxies": ("10.0.0.0/8",)}
    refuse_strangers("0.0.0.0", tokens, proxied)
    refuse_strangers("::1", tokens, serving())
    make_token(tokens, "shop")
    refuse_strangers("0.0.0.0", tokens, serving())


@pytest.mark.parametrize("half", [{"proxy_header": "x-user"}, {"proxies": ("10.0.0.0/8",)}])
def test_half_a_trusted_proxy_is_none(tmp_path, half):
    with pytest.raises(SettingsError, match="its networks and its header"):
        refuse_strangers("127.0.0.1", tmp_path / FILE, half)


def test_the_files_of_a_database_store_lie_where_the_settings_say(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EVERFIT_STORE", raising=False)

    folder = place_of(Face(store="here"), Settings())
    url = place_of(Face(store="postgresql://h/db"), Settings())

    assert (folder.is_folder, folder.root) == (True, tmp_path / "here")
    assert (url.is_folder, url.root) == (False, tmp_path / ".everfit")


def test_events_are_lines_of_json_where_no_terminal_reads_them(capsys):
    saying(Face())("worker_lost", {"worker": 1, "how": "SIGKILL"})
    saying(Face(quiet=True))("stopped", {})

    (line,) = capsys.readouterr().err.splitlines()
    plain = json.loads(line)
    assert (plain["event"], plain["worker"], plain["at"][:2]) == ("worker_lost", 1, "20")
