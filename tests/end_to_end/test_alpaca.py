"""The whole desk with Alpaca's paper account, by a stub on this machine."""

import datetime as dt
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
        running.exchange.now = dt.datetime.now(dt.UTC)
        yield running


def prepared(place: Place, stub: Stub) -> Place:
    """Rules that are traded on, and the account's shares and cash in the books; it was traded in before."""
    told = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
    stub.exchange.now -= dt.timedelta(days=1)
    for side in ("buy", "sell"):
        stub.exchange.carry_out("POST", "/orders", {**told, "side": side, "client_order_id": f"by hand, {side}"})
        stub.exchange.fill(f"by hand, {side}", "1", "430", dt.timedelta())
    stub.exchange.move("FEE", "-0.02")
    stub.exchange.now += dt.timedelta(days=1)
    stub.exchange.cash = Decimal(10_000)
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


def test_a_person_moves_a_stop_and_it_is_filled_there_under_its_own_name(place: Place, stub: Stub) -> None:
    prepared(place, stub)
    program = place.serve()
    place.once()
    apple = _of(place, "AAPL")
    told = {"symbol": "AAPL", "qty": "25", "side": "sell", "type": "stop", "time_in_force": "gtc", "stop_price": "400"}
    stub.exchange.carry_out("POST", "/orders", {**told, "client_order_id": apple})
    stub.exchange.orders[-1]["status"] = "new"
    place.change(
        f"""UPDATE trading_orders SET state = 'approved' WHERE id = '{apple}';
        UPDATE trading_orders SET state = 'working', ticket = json_set(ticket, '$.kind', 'stop', '$.stop', '400')
        WHERE id = '{apple}'"""
    )

    wrong = place.run("amend", apple, "--stop", "500")
    moved = place.run("amend", apple[:8], "--stop", "410.5")
    stub.fill(f"{apple}-r1", "25", "410.5")
    until(lambda: states(place)["AAPL"] == "filled", "the fill")

    assert wrong.lines == [
        f"error: order {apple} stays as it is: price: SELL 25 AAPL: the stop 500 is not below the last price 430.47, "
        "and would be filled at once; set it below, or order at the market"
    ]
    assert moved.out.splitlines()[-1] == f"Order {apple} is amended: it works at stop 410.5."
    assert place.rows("SELECT number, state FROM trading_amendments") == [(1, "done")]
    assert [note["what"] for note in place.run("why", apple, "--json").json["journal"]][-3:] == [
        "amending",
        "amended",
        "fill",
    ]
    assert place.run("orders", "--json").json["state"] == "ACTIVE"
    program.kill()


def test_another_cent_there_halts_trading(place: Place, stub: Stub) -> None:
    prepared(place, stub)
    stub.exchange.cash += Decimal("0.01")
    program = place.serve()

    until(lambda: place.run("orders", "--json").json["state"] == "HALTED", "the halt")

    assert "reconciliation: alpaca has 10000.01 of cash" in place.run("orders", "--json").json["why"]
    program.kill()


def test_the_days_fees_and_what_else_moved_cash_come_into_the_books_and_both_sides_agree(
    place: Place, stub: Stub
) -> None:
    prepared(place, stub)
    program = place.serve()
    place.once()
    apple = _of(place, "AAPL")
    assert place.run("approve", apple).code == 0
    stub.fill(apple, "25", "430.00")
    until(lambda: states(place)["AAPL"] == "filled", "the fill")
    stub.exchange.move("FEE", "-0.25", activity_sub_type="REG")
    stub.exchange.move("FEE", "-0.01", activity_sub_type="TAF")
    stub.exchange.move("CSD", "500")
    stub.cut()  # a stream that was broken has all compared

    booked = "SELECT sum(amount) FROM ledger_entries WHERE account IN ('fees', 'deposits')"
    until(lambda: place.rows(booked) == [(-499_740_000_000,)], "the activities")
    stub.exchange.move("MA", "-1")
    stub.cut()
    until(lambda: place.run("orders", "--json").json["state"] == "HALTED", "the halt")

    why = place.run("orders", "--json").json["why"]
    assert why.startswith("reconciliation: alpaca has 21248.74 of cash, the books say 21249.74; activity ")
    assert "of type MA is not understood; it has moved -1 of cash" in why
    program.kill()


def test_without_keys_the_desk_does_not_start_and_says_what_is_missing(place: Place) -> None:
    place.settings('[trading]\nbroker = "alpaca"\n')

    ended = place.run("once")

    assert ended.code == 1
    assert "TROUPE_ALPACA_KEY" in ended.err
