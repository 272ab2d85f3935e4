"""Which account, by which keys; real money only with all three consents."""

import itertools
import pickle
from pathlib import Path

import pytest

from actors.brokers.alpaca_account import (
    KEY,
    SECRET,
    Account,
    BadAccount,
    Keys,
    keys,
    live,
    on_loopback,
    paper,
)
from actors.domain.real_money import VARIABLE
from actors.settings.reading import NOT_SETTINGS


class TestRealMoney:
    def test_with_all_three_it_is_the_account_that_was_named(self) -> None:
        assert live("12345", "yes", None) == Account(
            "https://api.alpaca.markets", "wss://api.alpaca.markets/stream", "12345"
        )

    def test_without_any_one_of_them_it_is_not_and_each_that_is_missing_is_named(self) -> None:
        for given in itertools.product((True, False), repeat=3):
            if all(given):
                continue
            account, variable = "12345" if given[0] else None, "yes" if given[1] else None
            confirmed = None if given[2] else "nobody has confirmed it"

            with pytest.raises(BadAccount, match="real money is not traded") as told:
                live(account, variable, confirmed)
            assert [part in str(told.value) for part in ("[trading] money", VARIABLE, "nobody")] == [
                not one for one in given
            ]

    @pytest.mark.parametrize("variable", ["", "no", "1", "true", "YES", " yes"])
    def test_the_variable_is_yes_and_nothing_like_it(self, variable: str) -> None:
        with pytest.raises(BadAccount, match=f"{VARIABLE} is not yes"):
            live("12345", variable, None)

    def test_of_a_stub_only_its_addresses_are_taken_and_nothing_less_is_asked_for(self) -> None:
        stub = on_loopback("http://127.0.0.1:1", "ws://127.0.0.1:1")

        assert live("12345", "yes", None, stub) == Account("http://127.0.0.1:1", "ws://127.0.0.1:1", "12345")
        with pytest.raises(BadAccount, match="real money is not traded"):
            live("12345", None, None, stub)

    def test_paper_is_paper(self) -> None:
        assert paper().host == "paper-api.alpaca.markets"
        assert paper().stream.startswith("wss://paper-api.")
        assert paper().number is None

    @pytest.mark.parametrize(
        "url",
        ["https://api.alpaca.markets", "http://127.0.0.1.example:80", "http://10.0.0.1", "http://u@example:1", ""],
    )
    def test_no_other_address_is_a_way_around_it(self, url: str) -> None:
        for both in ((url, "ws://127.0.0.1:1"), ("http://127.0.0.1:1", url)):
            with pytest.raises(BadAccount, match=r"on 127\.0\.0\.1 alone"):
                on_loopback(*both)


class TestKeys:
    def test_they_come_from_the_environment(self) -> None:
        got = keys({KEY: "k-1", SECRET: "s-1"}, None)

        assert (got.key, got.secret) == ("k-1", "s-1")

    def test_or_from_a_file_that_only_its_owner_can_read(self, tmp_path: Path) -> None:
        file = tmp_path / "alpaca.toml"
        file.write_text('key = "k-1"\nsecret = "s-1"\n')
        file.chmod(0o600)

        assert keys({}, file).secret == "s-1"
        for mode in (0o640, 0o604, 0o620, 0o666):
            file.chmod(mode)
            with pytest.raises(BadAccount, match="chmod 600"):
                keys({}, file)

    @pytest.mark.parametrize(
        ("world", "says"), [({}, KEY), ({KEY: "k-1"}, SECRET), ({SECRET: "s-1"}, KEY), ({KEY: "", SECRET: "s-1"}, KEY)]
    )
    def test_one_that_is_missing_is_named(self, world: dict[str, str], says: str, tmp_path: Path) -> None:
        with pytest.raises(BadAccount, match=f"{says}: is missing"):
            keys(world, tmp_path / "none.toml")

    @pytest.mark.parametrize(
        "written", ['key = "a b"\nsecret = "s-1"', 'key = "s-1"', 'key = 7\nsecret = "s-1"', "s-1", 'key = "s-1']
    )
    def test_a_file_that_is_wrong_is_named_and_not_shown(self, tmp_path: Path, written: str) -> None:
        file = tmp_path / "alpaca.toml"
        file.write_text(written)
        file.chmod(0o600)

        with pytest.raises(BadAccount, match=r"alpaca\.toml") as told:
            keys({}, file)
        assert "s-1" not in str(told.value)

    @pytest.mark.parametrize("key", ["a b", "a\nb", "é", "k" * 201])
    def test_what_cannot_stand_in_a_header_is_refused_and_not_shown(self, key: str) -> None:
        with pytest.raises(BadAccount) as told:
            keys({KEY: "k-1", SECRET: key}, None)
        assert key not in str(told.value)

    def test_they_are_never_shown(self) -> None:
        got = Keys("k-1", "s-1")

        assert "1" not in f"{got!r} {got}"
        with pytest.raises(TypeError):
            pickle.dumps(got)


def test_their_variables_are_no_settings() -> None:
    assert {KEY, SECRET, VARIABLE} <= NOT_SETTINGS
