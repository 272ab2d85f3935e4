"""A desk on prices of one's own, whose exchange has a calendar: by the real program, whatever day it is today."""

import datetime as dt

from tests.end_to_end.places import Place, write_prices_until_today

HOLDINGS = "symbol,quantity,cost\nAAPL,25,460\nMSFT,300,17.53\nCASH:USD,10000,1\n"


def prepared(place: Place) -> Place:
    """Prices up to today of two symbols that the rules sell, at an exchange that is open each day of the year (UTC)."""
    place.settings('[market]\nsource = "csv"\ncalendar = "24/7"\n[trading]\nanalysts = ["rules"]\n')
    write_prices_until_today(place, "AAPL", "MSFT")
    (place.home / "prices" / "symbols.csv").write_text("symbol,sector\nAAPL,Information Technology\n")
    (place.path / "mine.csv").write_text(HOLDINGS)
    assert place.run("import", "mine.csv").code == 0
    return place


ORDERS = "SELECT id, state FROM trading_orders ORDER BY symbol"


def test_an_order_goes_on_the_day_of_a_session_and_waits_where_there_is_none_or_nobody_knows(place: Place) -> None:
    prepared(place)
    place.once()
    (apple, _), (microsoft, _) = place.rows(ORDERS)
    market = place.run("status", "--json").json["market"]

    yes = place.run("approve", apple)
    now = round(dt.datetime.now(dt.UTC).timestamp()) * 10**6
    place.change(f"DELETE FROM calendar_sessions WHERE session BETWEEN date({now} / 1000000, 'unixepoch') "
                 f"AND date({now} / 1000000, 'unixepoch', '+1 day')")  # fmt: skip
    holiday = place.run("approve", microsoft)
    place.change(f"DELETE FROM calendar_sessions WHERE opens > {now}")
    ended = place.run("approve", microsoft)
    status = place.run("status")

    assert (market["calendar"], market["state"]) == ("24/7", "open")
    assert dt.date.fromisoformat(market["horizon"]) > dt.datetime.now(dt.UTC).date() + dt.timedelta(days=390)
    assert place.rows("SELECT state, attempts FROM tasks WHERE type = 'refresh_calendar'") == [("done", 1)]
    assert place.rows("SELECT * FROM symbol_sectors") == [("AAPL", "Information Technology")]
    assert yes.out.rstrip().endswith("it is filled.")
    assert (holiday.code, ended.code) == (1, 1)
    assert "market_closed: SELL 300 MSFT: the market is closed until session" in holiday.err
    assert "calendar_unknown: SELL 300 MSFT: calendar 24/7 does not say" in ended.err
    assert [state for _, state in place.rows(ORDERS)] == ["filled", "staged"]
    assert "Market: calendar 24/7 ends with session" in status.out
    assert "nobody knows whether it is open, and no order is sent" in status.out
