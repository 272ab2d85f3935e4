"""The whole desk with Alpaca's paper account, by a stub on this machine."""

from collections.abc import Iterator
from decimal import Decimal

import pytest

from tests.end_to_end.places import Place, until
from tests.stub_alpaca.server import Stub


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub() as running:
        running.exchange.positions = {"AAPL": Decimal(25), "MSFT": Decimal(300)}
        running.exchange.cash = Decimal(10_000)
        yield running


def prepared(place: Place, stub: Stub) -> Place:
    """Rules that are traded on, and the account's shares and cash in the books."""
    place.environment |= {"TROUPE_ALPACA_KEY": stub.keys.key, "TROUPE_ALPACA_SECRET": stub.keys.secret}
    account = stub.account
    place.settings(
        f"""[trading]
analysts = ["rules"]
broker = "alpaca"
url_override = "{account.url}"
stream_override = "{account.stream}"
"""
    )
    (place.path / "mine.csv").write_text("symbol,quantity,cost\nAAPL,25,460\nMSFT,300,17.53\nCASH:USD,10000,1\n")
    assert place.run("import", "mine.csv").code == 0
    return place


def states(place: Place) -> dict[str, str]:
    found = place.run("orders", "--json").json["orders"]
    return {order["ticket"]["symbol"]: order["state"] for order in found}


def test_an_approved_order_goes_there_once_and_its_fills_come_into_the_books(place: Place, stub: Stub) -> None:
    prepared(place, stub)
    program = place.serve()
    place.once()
    apple = _of(place, "AAPL")

    approved = place.run("approve", apple)
    assert approved.code == 0, (approved, place.run("orders", "--json").json, stub.asked)
    stub.fill(apple, "10", "430.00")
    stub.fill(apple, "15", "430.10")
    until(lambda: states(place)["AAPL"] == "filled", "the fills")

    assert approved.out.rstrip().endswith("it is working.")
    assert states(place) == {"AAPL": "filled", "MSFT": "staged"}
    assert stub.count("POST") == 1
    assert place.rows("SELECT sum(quantity) FROM trading_fills") == [(25 * 10**9,)]
    assert place.run("orders", "--json").json["state"] == "ACTIVE"
    (place.home / "HALT").touch()
    assert place.run("approve", _of(place, "MSFT")).code == 1
    assert stub.count("POST") == 1
    program.kill()


def _of(place: Place, symbol: str) -> str:
    found = place.run("orders", "--json").json["orders"]
    return next(str(order["ticket"]["client_id"]) for order in found if order["ticket"]["symbol"] == symbol)


def test_another_cent_there_halts_trading(place: Place, stub: Stub) -> None:
    prepared(place, stub)
    stub.exchange.cash += Decimal("0.01")
    program = place.serve()

    until(lambda: place.run("orders", "--json").json["state"] == "HALTED", "the halt")

    assert "reconciliation: alpaca has 10000.01 of cash" in place.run("orders", "--json").json["why"]
    program.kill()


def test_without_keys_the_desk_does_not_start_and_says_what_is_missing(place: Place) -> None:
    place.settings('[trading]\nbroker = "alpaca"\n')

    ended = place.run("once")

    assert ended.code == 1
    assert "TROUPE_ALPACA_KEY" in ended.err
