"""Rounds over a whole desk: what is the same round, what is a new one, and what cannot be one."""

import re
from dataclasses import replace
from decimal import Decimal
from itertools import count

import pytest

from actors.console import doors, queues
from actors.console.rounds import RoundFailed
from actors.settings.reading import Settings
from actors.workers.jobs import JOBS, Known
from messages.tasks import ComputeFacts, Run
from messages.values import Symbol
from storage import bars, ledger
from storage.connections import NotNow
from storage.home import Home
from tests.desks import StagedDesk, prices, walk

HOLDINGS = "symbol,quantity,cost\nAAPL,10,100\nCASH:USD,500,1\n"


@pytest.fixture
def folder_desk(home: Home) -> StagedDesk:
    """A desk on a folder with prices of AAPL and IBM, nothing held."""
    for symbol in ("AAPL", "IBM"):
        prices(home.path / "prices", symbol, *walk(50))
    return StagedDesk(home, Settings(source="csv", folder=home.path / "prices")).start()


def shape(desk: StagedDesk) -> dict[str, int]:
    """How many tasks there are of each type."""
    types = [row.type for row in desk.tasks()]
    return {type_: types.count(type_) for type_ in dict.fromkeys(types)}


def test_a_round_values_computes_and_recommends_for_every_symbol_held_or_watched(home: Home) -> None:
    desk = StagedDesk(home, Settings(watch=("fb", "AAPL"))).start()
    desk.import_text(HOLDINGS)

    made = desk.once()

    assert [each.symbol for each in made.recommendations] == ["AAPL", "FB"]
    assert [each.symbol for each in made.positions] == ["AAPL"]
    assert shape(desk) == {"refresh_bars": 2, "value_portfolio": 1, "facts": 2, "recommendation": 2}
    assert {(row.state, row.attempts) for row in desk.tasks()} == {("done", 1)}


def test_the_same_inputs_are_the_same_round_and_make_no_new_task_of_it(folder_desk: StagedDesk) -> None:
    folder_desk.import_text(HOLDINGS)
    first = folder_desk.begin()
    report, before = folder_desk.once(), shape(folder_desk)

    assert folder_desk.begin() == first
    assert folder_desk.once() == report
    after = shape(folder_desk)
    assert {name: count for name, count in after.items() if name != "refresh_bars"} == {
        name: count for name, count in before.items() if name != "refresh_bars"
    }


def test_a_round_is_found_again_after_a_restart_and_after_a_kill(folder_desk: StagedDesk, home: Home) -> None:
    folder_desk.import_text(HOLDINGS)
    begun = folder_desk.begin()

    second = StagedDesk(home, folder_desk.settings, seed=1).start()
    report = second.once()
    second.stop()

    third = StagedDesk(home, folder_desk.settings).start()
    assert third.begin() == begun
    assert third.once() == report
    assert [row.state for row in third.tasks()] == ["done"] * len(third.tasks())


def test_a_round_values_what_a_split_has_made_of_the_holdings_and_the_dividend(home: Home) -> None:
    """10 shares at 100 to 159; then each is two, and has paid 1.50 before."""
    lines, folder = walk(60), home.path / "prices"
    prices(folder, "AAPL", *lines)
    desk = StagedDesk(home, Settings(source="csv", folder=folder)).start()
    desk.import_text(HOLDINGS)
    desk.once()
    prices(folder, "AAPL", *lines, "2013-03-02,80,82,79,80,1000")
    listed = folder / "actions.csv"
    listed.write_text("symbol,session,kind,value\nAAPL,2013-03-02,split,2:1\nAAPL,2013-03-02,dividend,1.5\n")

    report = desk.once()
    again = desk.once()

    [position] = report.positions
    assert [position.quantity, position.value, report.cash] == [20, 1600, 515]
    assert again == report
    assert shape(desk)["reconcile"] == 1
    desk.stop()


def test_again_makes_a_new_round_which_is_then_the_one_that_is_found(folder_desk: StagedDesk) -> None:
    folder_desk.import_text(HOLDINGS)
    first = folder_desk.begin()
    second = folder_desk.begin(again=True)
    third = folder_desk.begin(again=True)
    found = folder_desk.begin()

    assert len({first, second, third}) == 3
    assert found == third
    assert {each.id for each in folder_desk.once().recommendations}.isdisjoint({first, second})
    assert shape(folder_desk)["value_portfolio"] == 3


def test_again_where_there_is_no_round_yet_is_the_first(folder_desk: StagedDesk) -> None:
    folder_desk.import_text(HOLDINGS)

    assert folder_desk.begin(again=True) == folder_desk.begin()


def test_changed_holdings_are_a_new_round(folder_desk: StagedDesk) -> None:
    folder_desk.import_text(HOLDINGS)
    first = folder_desk.begin()
    folder_desk.import_text(HOLDINGS.replace("500", "501"))
    cash = folder_desk.begin()
    folder_desk.import_text(HOLDINGS.replace("AAPL,10,", "AAPL,11,"))
    quantity = folder_desk.begin()
    folder_desk.import_text(HOLDINGS)

    assert len({first, cash, quantity}) == 3
    assert folder_desk.begin() == first


@pytest.mark.parametrize("change", ["a later bar", "another close long ago", "a shorter history"])
def test_changed_bars_are_a_new_round(folder_desk: StagedDesk, home: Home, change: str) -> None:
    folder_desk.import_text(HOLDINGS)
    first, lines = folder_desk.begin(), walk(51)
    if change != "a later bar":
        lines = lines[:-1] if change == "another close long ago" else lines[20:-1]
    if change == "another close long ago":
        lines[3] = lines[3].replace("103.0,1000", "103.5,1000")
    prices(home.path / "prices", "AAPL", *lines)

    assert folder_desk.begin() != first


def test_prices_of_what_is_neither_held_nor_watched_are_no_input(folder_desk: StagedDesk, home: Home) -> None:
    folder_desk.import_text(HOLDINGS)
    first = folder_desk.begin()
    prices(home.path / "prices", "IBM", *walk(52))

    assert folder_desk.begin() == first


def test_a_desk_that_only_watches_has_rounds_too(folder_desk: StagedDesk, home: Home) -> None:
    desk = StagedDesk(home, replace(folder_desk.settings, watch=("ibm",))).start()

    made = desk.once()

    assert (made.value, made.cash, made.positions) == (Decimal(0), Decimal(0), ())
    assert [each.symbol for each in made.recommendations] == ["IBM"]
    [only] = made.recommendations
    assert "weight" not in {lack.name for lack in only.missing}
    assert {fact.name: fact.value for fact in only.facts}["weight"] == 0.0


def test_nothing_held_and_nothing_watched_is_a_clear_error(folder_desk: StagedDesk) -> None:
    with pytest.raises(
        RoundFailed, match=r"^nothing is held and nothing is watched: import holdings with `run\.py import"
    ):
        folder_desk.begin()

    assert folder_desk.tasks() == []


def test_cash_alone_is_nothing_to_recommend(folder_desk: StagedDesk) -> None:
    folder_desk.import_text("symbol,quantity,cost\nCASH:USD,500,1\n")

    with pytest.raises(RoundFailed, match="nothing is held and nothing is watched"):
        folder_desk.begin()


def test_what_is_watched_but_has_no_prices_is_named(folder_desk: StagedDesk, home: Home) -> None:
    desk = StagedDesk(home, replace(folder_desk.settings, watch=("IBM", "tsla", "GE"))).start()

    with pytest.raises(RoundFailed, match=r"^\[research\] watch: the price source has no tsla, GE$"):
        desk.begin()


BAD = [
    ("NaN", "103.0,1000", "nan,1000", "close is nan, a price must be a number above 0 and below 9.2e9"),
    ("zero", "103.0,1000", "0,1000", "close is 0.0, a price must be a number above 0 and below 9.2e9"),
    ("negative", "103.0,1000", "-1,1000", "close is -1.0, a price must be a number above 0 and below 9.2e9"),
    ("gap", "2013-01-04", "2013-01-14", "date 2013-01-14 comes 11 days after 2013-01-03, more than 10"),
    ("order", "2013-01-04", "2013-01-02", "date 2013-01-02 does not come after 2013-01-03, the one before it"),
    (
        "words",
        "2013-01-04,103.0",
        "2013-01-04,high",
        "'2013-01-04,high,104.0,102.0,103.0,1000' is not a date and figures",
    ),
]


@pytest.mark.parametrize(("old", "new", "sentence"), [bad[1:] for bad in BAD], ids=[bad[0] for bad in BAD])
def test_prices_that_cannot_be_used_are_named_by_file_and_line_and_nothing_is_half_written(
    folder_desk: StagedDesk, home: Home, old: str, new: str, sentence: str
) -> None:
    folder_desk.import_text(HOLDINGS)
    lines = walk(5)
    lines[3] = lines[3].replace(old, new)
    path = prices(home.path / "prices", "AAPL", *lines)

    with pytest.raises(RoundFailed, match=f"^{re.escape(f'{path} line 5: {sentence}')}$"):
        folder_desk.begin()

    assert shape(folder_desk) == {"refresh_bars": 1}
    assert bars.last_session(folder_desk.read, Symbol("AAPL")) is None
    assert [held.symbol for held in ledger.held(folder_desk.read)] == ["AAPL"]
    prices(home.path / "prices", "AAPL", *walk(5))
    assert len(folder_desk.once().recommendations) == 1


def test_bad_prices_of_one_symbol_leave_the_stored_ones_as_they_were(folder_desk: StagedDesk, home: Home) -> None:
    folder_desk.import_text(HOLDINGS)
    folder_desk.once()
    before = bars.digest(folder_desk.read, [Symbol("AAPL")])
    prices(home.path / "prices", "AAPL", *walk(3), "2013-01-04,1,1,1,0,0")

    with pytest.raises(RoundFailed, match="line 5"):
        folder_desk.once()

    assert bars.digest(folder_desk.read, [Symbol("AAPL")]) == before


def test_prices_that_were_taken_away_are_named(folder_desk: StagedDesk, home: Home) -> None:
    folder_desk.import_text(HOLDINGS)
    (home.path / "prices" / "AAPL.csv").unlink()

    with pytest.raises(RoundFailed, match=r"^folder .*prices: has no AAPL\.csv; put it there$"):
        folder_desk.begin()


def test_the_order_in_which_messages_are_handled_changes_nothing(home: Home) -> None:
    reports = list[object]()
    for seed in range(3):
        place = Home(home.path / str(seed))
        place.path.mkdir()
        desk = StagedDesk(place, seed=seed).start()
        desk.import_text("symbol,quantity,cost\nFB,1,1\nIBM,2,1\nCASH:USD,10,1\n")
        reports.append(desk.once())
        desk.stop()

    assert reports[0] == reports[1] == reports[2]


def test_a_round_whose_tasks_were_pruned_is_still_the_same_round(home: Home) -> None:
    first = StagedDesk(home, Settings(watch=("AAPL",), keep_tasks=1)).start()
    made = first.once()
    first.stop()

    desk = StagedDesk(home, Settings(watch=("AAPL",), keep_tasks=1), at=3 * 86_400.0).start()
    desk.system.advance(10)
    left = desk.tasks()
    same, other = desk.once(), desk.once(again=True)

    assert left == []
    assert same == made
    assert [each.id for each in other.recommendations] != [each.id for each in made.recommendations]
    assert shape(desk) == {"refresh_bars": 2, "value_portfolio": 1, "facts": 1, "recommendation": 1}
    assert {row.state for row in desk.tasks()} == {"done"}


def test_whoever_waits_for_a_task_that_waits_for_its_place_is_told_so(
    folder_desk: StagedDesk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    job, tries = JOBS[ComputeFacts], count()

    def load(known: Known, run: Run) -> object:
        if next(tries) < 2:
            raise NotNow("database desk.sqlite3: disk I/O error")
        return job.load(known, run)

    monkeypatch.setitem(JOBS, ComputeFacts, replace(job, load=load))
    monkeypatch.setattr(doors, "HELD_LOOK", 0.0)
    folder_desk.import_text(HOLDINGS)

    made = folder_desk.once()

    [facts] = [row for row in folder_desk.tasks() if row.type == "facts"]
    assert len(made.recommendations) == 1
    assert (facts.state, facts.attempts, next(tries)) == ("done", 1, 3)
    said = set(capsys.readouterr().err.splitlines())
    assert said == {f"waiting: task {facts.id}: ComputeFacts: database desk.sqlite3: disk I/O error"}


def test_a_round_with_a_cancelled_task_says_so_and_another_can_be_made(folder_desk: StagedDesk) -> None:
    folder_desk.import_text(HOLDINGS)
    queues.order(folder_desk.access, "pause", "analysis")
    correlation_id = folder_desk.begin()
    folder_desk.system.advance(1)
    [facts] = [row for row in folder_desk.tasks() if row.type == "facts"]
    queues.order(folder_desk.access, "cancel", str(facts.id))
    queues.order(folder_desk.access, "resume", "analysis")

    with pytest.raises(
        RoundFailed, match=r"is cancelled: a person has cancelled it; `run\.py once --again` begins anew"
    ):
        doors.follow(doors.Here(folder_desk.access), correlation_id, lambda how_far: None)
    assert folder_desk.once(again=True).recommendations
