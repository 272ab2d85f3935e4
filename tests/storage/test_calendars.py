"""Sessions of exchanges and sectors of symbols: what was kept comes back; and when orders of before were approved."""

from messages.values import Symbol
from storage import calendars, sectors
from storage.connections import Reader
from storage.writing import StatementFailed, WriteConnection
from tests.actors.domain.days import day, utc, weekdays

AAPL, IBM, FB = Symbol("AAPL"), Symbol("IBM"), Symbol("FB")


def test_the_sessions_of_a_fortnight_before_and_after_come_back_in_order(
    connection: WriteConnection, read: Reader
) -> None:
    days = weekdays("2026-01-01", 400)
    connection.commit([calendars.replace("XNYS", days), calendars.replace("XLON", days[:1])])

    found = calendars.around(read, "XNYS", utc("2026-11-28 12:00"))

    assert found == [each for each in days if "2026-11-13" <= str(each.session) <= "2026-12-11"]
    assert calendars.horizon(read, "XNYS") == days[-1].session
    assert calendars.horizon(read, "XLON") == days[0].session


def test_what_is_no_session_any_more_is_gone(connection: WriteConnection, read: Reader) -> None:
    days = weekdays("2026-11-23", 5)
    connection.commit([calendars.replace("XNYS", days)])

    connection.commit([calendars.replace("XNYS", days[:-1])])

    assert calendars.around(read, "XNYS", utc("2026-11-24 12:00")) == days[:-1]


def test_a_calendar_that_is_not_there_has_no_horizon(read: Reader) -> None:
    assert (calendars.horizon(read, "XNYS"), calendars.around(read, "XNYS", 0)) == (None, [])


def test_a_session_that_closes_before_it_opens_is_refused(connection: WriteConnection) -> None:
    [refused] = connection.commit([calendars.replace("XNYS", [day("2026-11-23", closes=9)])])

    assert isinstance(refused, StatementFailed)


def test_a_symbol_has_one_sector_those_beside_it_are_found_and_no_change_is_no_statement(
    connection: WriteConnection, read: Reader
) -> None:
    for symbol, sector in ((AAPL, "Tools"), (IBM, "Tools"), (FB, "Toys"), (FB, "Tools"), (IBM, None)):
        connection.commit([sectors.replace(read, symbol, sector)])

    assert sectors.known(read) == {AAPL: "Tools", FB: "Tools"}
    assert sectors.replace(read, AAPL, "Tools") == sectors.replace(read, IBM, None) == ()
