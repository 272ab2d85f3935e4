"""The company: who exists, in which order, and how it stops and starts anew."""

import pytest

from actors.console.access import DeskFailed, DeskRefused
from actors.kernel.supervision import State
from actors.kernel.system import StartFailed
from actors.settings.reading import Settings
from messages.tasks import Drain
from storage.connections import DatabaseUnusable
from storage.home import Home
from storage.migrations import WrongHome, open_for_reading
from storage.writing import WriteConnection
from tests.desks import StagedDesk

HOLDINGS = "symbol,quantity,cost\nAAPL,10,100\nFB,1,1\nCASH:USD,500,1\n"


def test_the_writer_starts_first_and_whoever_needs_it_after(desk: StagedDesk) -> None:
    names = [each.actor for each in desk.system.observe()]

    everyone = "database tasks workers processes waits source market claude research broker trading notifier"
    assert names == everyone.split()
    assert {each.state for each in desk.system.observe()} == {State.READY}


def test_price_source_and_currency_are_fixed_by_the_first_start(home: Home) -> None:
    StagedDesk(home).start().stop()

    with pytest.raises(StartFailed) as failed:
        StagedDesk(home, Settings(source="csv", folder=home.path)).start()

    assert isinstance(failed.value.__cause__, WrongHome)
    assert open_for_reading(home)[1] == {"price_source": "sample", "currency": "USD"}


def test_a_stopped_desk_has_settled_what_was_in_flight(home: Home) -> None:
    desk = StagedDesk(home).start()
    desk.import_text(HOLDINGS)
    desk.begin()

    desk.stop()

    [thread] = desk.system.observe()[1].threads.values()
    assert Drain in thread.meters
    assert {row.state for row in desk.tasks()} <= {"done", "queued", "blocked"}
    assert home.database.with_name("desk.sqlite3-wal").stat().st_size == 0


@pytest.mark.parametrize("actor", ["source", "market", "research"])
@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_round_survives_the_crash_of_whoever_is_rebuilt(home: Home, actor: str, after: int) -> None:
    desk = StagedDesk(home, seed=after).start()
    desk.import_text(HOLDINGS)
    desk.system.crash(getattr(desk.desk, actor), after=after)

    assert [each.symbol for each in desk.once().recommendations] == ["AAPL", "FB"]
    assert {row.state for row in desk.tasks()} == {"done"}
    assert [name for name, _, _ in desk.system.recorder.crashes] == [actor]


@pytest.mark.parametrize("actor", ["database", "tasks", "trading"])
def test_the_crash_of_whoever_is_never_rebuilt_stops_the_desk_and_the_next_one_ends_the_round(
    home: Home, actor: str
) -> None:
    desk = StagedDesk(home).start()
    desk.import_text(HOLDINGS)
    begun = desk.begin()
    desk.system.crash(getattr(desk.desk, actor))

    assert desk.system.failed.done()
    assert desk.system.failed.result().startswith(f"{actor} crashed: ")
    with pytest.raises(DeskFailed, match=f"the desk has stopped: {actor} crashed"):
        desk.access.pause(1)
    desk.desk.stop()

    second = StagedDesk(home).start()
    assert second.begin() == begun
    assert len(second.once().recommendations) == 2
    assert {row.state for row in second.tasks()} == {"done"}


@pytest.mark.parametrize("seed", range(5))
def test_a_writer_that_crashes_is_the_reason_and_not_the_coordinator_whose_write_is_lost(
    home: Home, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    desk = StagedDesk(home, seed=seed).start()
    desk.import_text(HOLDINGS)

    def full(*_: object) -> None:
        raise DatabaseUnusable("database desk.sqlite3: database or disk is full")

    monkeypatch.setattr(WriteConnection, "commit", full)
    with pytest.raises((DeskFailed, DeskRefused)):
        desk.begin()

    assert desk.system.failed.result(0) == "database crashed: database desk.sqlite3: database or disk is full"
    desk.desk.stop()


def test_a_desk_that_has_failed_stops_without_draining(desk: StagedDesk) -> None:
    desk.system.crash(desk.desk.tasks)
    before = desk.system.clock.monotonic()

    desk.desk.stop()

    assert desk.system.clock.monotonic() == before


def test_a_refusal_reaches_the_edge_with_its_code(home: Home) -> None:
    desk = StagedDesk(home).start()
    desk.stop()

    with pytest.raises(DeskRefused, match="source is down") as refused:
        desk.import_text(HOLDINGS)

    assert refused.value.code == "down"
