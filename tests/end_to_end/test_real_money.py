"""Real money, which is a stub's on this machine: with all three things that it takes, and not with any two of them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from actors.claude import tools
from actors.domain.real_money import VARIABLE, phrase
from tests.end_to_end.places import RUN, Place, write_prices_until_today
from tests.stub_alpaca.server import Stub

NUMBER = "12345"
SAYS = f"REAL MONEY: orders go to account {NUMBER}."


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub() as running:
        running.exchange.positions = {"AAPL": Decimal(25)}
        running.exchange.cash = Decimal(10_000)
        running.exchange.number = NUMBER
        yield running


@pytest.fixture
def real(place: Place, stub: Stub) -> Place:
    """A desk whose settings say real money, at the stub; nobody has confirmed anything."""
    place.environment |= {"TROUPE_ALPACA_KEY": stub.keys.key, "TROUPE_ALPACA_SECRET": stub.keys.secret}
    place.settings(
        f"""[market]
source = "csv"
calendar = "24/7"
[trading]
analysts = ["rules"]
broker = "alpaca"
money = "real"
account = "{NUMBER}"
url_override = "{stub.account.url}"
stream_override = "{stub.account.stream}"
"""
    )
    write_prices_until_today(place, "AAPL")
    (place.path / "mine.csv").write_text("symbol,quantity,cost\nAAPL,25,460\nCASH:USD,10000,1\n")
    return place


def at_a_terminal(place: Place, typed: str, *arguments: str) -> tuple[int, str]:
    """Exit code and what `real-money` says to somebody who types this at a terminal."""
    ours, theirs = os.openpty()
    try:
        os.write(ours, f"{typed}\n".encode())
        ended = subprocess.run(
            [sys.executable, str(RUN), "real-money", *arguments], stdin=theirs, cwd=place.path, env=place.environment,
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    finally:
        os.close(ours)
        os.close(theirs)
    return ended.returncode, ended.stdout + ended.stderr


def test_without_what_it_takes_no_desk_starts_and_one_line_says_what_is_missing(real: Place, stub: Stub) -> None:
    neither = real.run("import", "mine.csv")
    real.environment[VARIABLE] = "yes"
    piped = real.run("real-money", typed=f"{phrase(NUMBER)}\n")
    mistyped = at_a_terminal(real, "yes")
    unconfirmed = real.run("import", "mine.csv")
    confirmed = at_a_terminal(real, phrase(NUMBER))
    del real.environment[VARIABLE]
    without_variable = real.run("import", "mine.csv")

    not_typed = f"nobody has confirmed account {NUMBER}; type it at a terminal with `run.py real-money`"
    assert neither.lines == [
        f"error: alpaca: real money is not traded: environment: {VARIABLE} is not yes; {not_typed}"
    ]
    assert (piped.code, "standard input is no terminal" in piped.err) == (1, True)
    assert (mistyped[0], "that is not 'trade real money in 12345'; nothing was confirmed" in mistyped[1]) == (1, True)
    assert unconfirmed.lines == [f"error: alpaca: real money is not traded: {not_typed}"]
    assert confirmed[0] == 0, confirmed
    assert without_variable.lines == [f"error: alpaca: real money is not traded: environment: {VARIABLE} is not yes"]
    assert stub.asked == []


def test_with_all_three_the_account_that_was_confirmed_is_traded_until_it_is_taken_back(
    real: Place, stub: Stub
) -> None:
    code, said = at_a_terminal(real, phrase(NUMBER), "--days", "1")
    real.environment[VARIABLE] = "yes"
    assert code == 0, said
    assert "REAL MONEY, for 1 days" in said
    assert real.run("import", "mine.csv").code == 0
    program = real.serve()
    real.once()
    order = str(real.run("orders", "--json").json["orders"][0]["ticket"]["client_id"])

    at_rest = real.run("real-money", "--withdraw")
    refused = real.run("approve", order)
    code, said = at_a_terminal(real, phrase(NUMBER))
    assert code == 0, said
    approved = real.run("approve", order)

    assert "is not confirmed any more, and nothing is sent" in at_rest.out
    assert refused.code == 1
    assert "trading is HALTED" in refused.err
    assert approved.code == 0, approved
    assert stub.count("POST") == 1
    for page in ("orders", "status", f"why {order}"):
        assert SAYS in real.run(*page.split()).out.splitlines(), page
        assert real.run(*page.split(), "--json").json["real_money"] == NUMBER
    assert SAYS in approved.out
    program.kill()
    settings = real.path / "desk" / "desk.toml"
    text = settings.read_text()
    settings.write_text(text.replace('money = "real"', 'money = "paper"').replace(f'account = "{NUMBER}"', ""))
    assert "so it does not trade on paper" in real.run("once", "--again").err
    settings.write_text(text)
    stub.exchange.number, before = "54321", len(stub.asked)  # and now the keys are another account's
    assert real.run("once", "--again").lines == ["error: the keys are not those of account 12345"]
    assert {path for _, path, _ in stub.asked[before:]} == {"/account"}


def test_a_home_that_has_traded_on_paper_is_not_confirmed_for_real_money(sample: Place) -> None:
    sample.settings('[trading]\nanalysts = ["rules"]\n')
    sample.once("--again")
    assert sample.run("orders", "--json").json["orders"]
    sample.settings('[market]\nsource = "csv"\n[trading]\nbroker = "alpaca"\nmoney = "real"\naccount = "12345"\n')

    code, said = at_a_terminal(sample, phrase(NUMBER))

    assert code == 1
    assert "has orders or a mandate that were not about account 12345" in said
    assert "--home" in said


def test_neither_the_api_nor_a_tool_of_claudes_confirms_real_money() -> None:
    root = Path(RUN).parent
    told = [root / "actors" / "console" / "server.py", *(root / "actors" / "claude").glob("*.py")]

    assert not [each for each in told if "real_money.give" in each.read_text() or "confirmations" in each.read_text()]
    assert not [name for name in tools.TOOLS if "money" in name or "confirm" in name]
