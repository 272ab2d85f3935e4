"""What a person sees of lots, and the CSV of those realised."""

import datetime as dt
from decimal import Decimal

from actors.console.lots import NOTE, OpenLot, as_csv, lots
from actors.domain.lots import matched
from messages.broker import ClientId, Execution, Side
from messages.values import CorrelationId, Symbol
from storage import bars, ledger
from storage.home import Home
from storage.migrations import open_for_writing
from tests.desks import StagedDesk

AAPL, LAST = Symbol("AAPL"), dt.date(2013, 3, 1)


def test_lots_are_valued_at_the_last_close_and_what_was_sold_is_in_the_csv(desk: StagedDesk, home: Home) -> None:
    desk.import_text("symbol,quantity,cost,acquired\nAAPL,10,100,2012-01-03\nIBM,1,200,\nCASH:USD,5,1,\n")
    desk.once()
    desk.stop()
    writer = open_for_writing(home, {}, 0)
    sold = Execution(ClientId("a" * 24), "x1", AAPL, Side.SELL, Decimal(4), Decimal("440.5"), Decimal(1), LAST, 0)
    have = ledger.lots(desk.read, ledger.PAPER, AAPL)
    writer.commit([ledger.fill(sold, ledger.PAPER, CorrelationId("c" * 32), 0, matched(have, sold))])

    found = lots(desk.read)

    close = bars.load(desk.read, AAPL, LAST, 0)
    assert close is not None
    assert str(close.close[-1]) == "430.47"
    assert found.open[0] == OpenLot(
        ledger.PAPER, AAPL, "opening 1", dt.date(2012, 1, 3), Decimal(6), Decimal(600), LAST, Decimal("430.47"),
        Decimal("2582.82"), Decimal("1982.82"),
    )  # fmt: skip
    assert [lot.symbol for lot in found.open] == ["AAPL", "IBM"]
    assert as_csv(found.realised) == (
        "broker,symbol,lot,acquired,sold,days,quantity,proceeds,cost,gain,fee\n"
        "paper,AAPL,opening 1,2012-01-03,2013-03-01,423,4,1762,400,1362,1\n"
    )
    assert found.note == NOTE
    assert "no tax advice" in NOTE
    writer.close()


def test_a_lot_without_a_price_is_shown_without_a_gain(home: Home) -> None:
    from messages.trading import Holding

    writer = open_for_writing(home, {"price_source": "csv"}, 0)
    holding = Holding(Symbol("NONE"), Decimal(1), Decimal(2), None)
    writer.commit([ledger.opening([holding], Decimal(0), "a.csv", CorrelationId("c" * 32), 0)])
    desk = StagedDesk(home)

    (only,) = lots(desk.read).open

    assert (only.as_of, only.close, only.value, only.unrealised) == (None, None, None, None)
    writer.close()
