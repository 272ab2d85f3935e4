"""The exchange's calendar over a whole desk: worked out in time, and what is seen of it."""

import datetime as dt
from dataclasses import replace

import pytest

from actors.console import doctor
from actors.console.calendars import Market, described, market
from actors.console.doctor import examine
from actors.console.health import health
from actors.kernel.testing import Probe
from actors.settings.reading import Settings
from messages.database import Write
from storage import calendars
from storage.home import Home
from tests.actors.console.test_doctor import WORLD
from tests.actors.domain.days import day, utc, weekdays
from tests.desks import StagedDesk, prices, walk

HOLDINGS = "symbol,quantity,cost\nAAPL,10,100\nCASH:USD,500,1\n"
DAYS = 86_400.0


def by_calendar(home: Home) -> Settings:
    """Settings of a desk on a folder with prices of AAPL."""
    prices(home.path / "prices", "AAPL", *walk(50))
    return Settings(source="csv", folder=home.path / "prices", calendar="24/7")


def refreshed(desk: StagedDesk) -> list[tuple[str, str]]:
    return [(row.key, row.state) for row in desk.tasks() if row.type == "refresh_calendar"]


def test_a_round_works_the_calendar_out_once_and_again_before_it_ends(home: Home) -> None:
    settings, found = by_calendar(home), list[list[tuple[str, str]]]()
    for after in (0, 0.5, 340, 341):  # of 400 days
        desk = StagedDesk(home, settings, at=after * DAYS).start()
        desk.import_text(HOLDINGS)
        desk.once(again=True)
        found.append(refreshed(desk))
        horizon = calendars.horizon(desk.read, "24/7")
        desk.stop()

    once = [("refresh_calendar/24/7/2013-03-01", "done")]
    assert found[:2] == [once, once]
    assert found[2:] == [[], [("refresh_calendar/24/7/2014-02-05", "done")]]  # the first was pruned, as old tasks are
    assert horizon == dt.date(2015, 3, 12)


def test_on_sample_prices_there_is_none(desk: StagedDesk) -> None:
    desk.import_text(HOLDINGS)
    desk.once()

    assert refreshed(desk) == []
    assert market(desk.read, desk.access.calendar, 0) is None


@pytest.mark.parametrize(
    ("now", "expected", "sentence"),
    [
        (
            "2026-11-27 15:00",
            Market("XNYS", "open", dt.date(2026, 11, 25), dt.date(2026, 11, 30), utc("2026-11-30 14:30"),
                   dt.date(2026, 12, 4)),
            "XNYS, a session today; the last session that is over is 2026-11-25, session 2026-11-30 opens at "
            "2026-11-30 14:30 UTC; known until 2026-12-04",
        ),
        (
            "2026-11-26 15:00",
            Market("XNYS", "closed", dt.date(2026, 11, 25), dt.date(2026, 11, 27), utc("2026-11-27 14:30"),
                   dt.date(2026, 12, 4)),
            "XNYS, closed today; the last session that is over is 2026-11-25, session 2026-11-27 opens at "
            "2026-11-27 14:30 UTC; known until 2026-12-04",
        ),
        (
            "2026-12-05 15:00",
            Market("XNYS", "unknown", dt.date(2026, 12, 4), None, None, dt.date(2026, 12, 4)),
            "calendar XNYS ends with session 2026-12-04, so nobody knows whether it is open, and no order is sent",
        ),
    ],
)  # fmt: skip
def test_how_the_market_is_is_said_in_a_sentence(home: Home, now: str, expected: Market, sentence: str) -> None:
    desk = kept(home, "2026-11-26")

    found = market(desk.read, "XNYS", utc(now))

    assert found == expected
    assert described(expected) == sentence


def kept(home: Home, *holidays: str) -> StagedDesk:
    """A desk with sessions from the 23rd of November 2026 to the 4th of December."""
    desk = StagedDesk(home).start()
    days = [day("2026-11-23"), *weekdays("2026-11-24", 11, *holidays)]
    desk.desk.database.tell(Write(calendars.replace("XNYS", days), Probe()))
    desk.system.settle()
    return desk


@pytest.mark.parametrize(
    ("now", "notes"),
    [
        ("2026-12-04 12:00", [
            "calendar XNYS ends with session 2026-12-04; `run.py once` works it out anew",
            "prices are of 2013-03-01, and session 2026-12-03 is over; `run.py once` brings newer ones",
        ]),
        ("2026-12-07 12:00", [
            "calendar XNYS ends with session 2026-12-04, so nobody knows whether it is open, and no order is sent",
            "prices are of 2013-03-01, and session 2026-12-04 is over; `run.py once` brings newer ones",
        ]),
    ],
)  # fmt: skip
def test_a_calendar_that_ends_and_prices_that_are_old_are_notes(home: Home, now: str, notes: list[str]) -> None:
    desk = kept(home)
    desk.import_text(HOLDINGS)
    desk.once()
    desk.system.manual.manual.now = (utc(now) - desk.system.clock.utc()) / 1e6 + desk.system.clock.monotonic()

    found = health(replace(desk.access, calendar="XNYS"))

    assert (found.ready, list(found.notes)) == (True, notes)
    assert found.stored is not None
    assert found.stored.market == market(desk.read, "XNYS", utc(now))
    desk.stop()


@pytest.mark.parametrize(
    ("now", "verdict", "todo"),
    [
        ("2026-09-01 15:00", "error", "`run.py once` works it out anew; a newer release knows more"),
        ("2026-11-27 15:00", "warning", "`run.py once` works it out anew; see whether it goes on"),
        ("2027-01-01 15:00", "error", "`run.py once` works it out anew; a newer release knows more"),
    ],
)
def test_the_doctor_says_what_to_do_before_a_calendar_ends(home: Home, now: str, verdict: str, todo: str) -> None:
    kept(home)
    settings = Settings(calendar="XNYS")
    world = replace(WORLD, settings=lambda: settings, utc=lambda: utc(now))

    (found,) = [each for each in examine(home, world).checks if each.name == "calendar"]

    assert (found.verdict, found.todo) == (verdict, todo)


def test_a_calendar_that_was_never_worked_out_is_a_warning(desk: StagedDesk, home: Home) -> None:
    world = replace(WORLD, settings=lambda: Settings(calendar="XNYS"))

    (found,) = [each for each in examine(home, world).checks if each.name == "calendar"]

    assert found == doctor.Check(
        "calendar", "warning",
        "calendar XNYS is not there (see `run.py tasks`), so nobody knows whether it is open, and no order is sent",
        "`run.py once` works it out",
    )  # fmt: skip
