"""The tree of a trace, from what is stored."""

from collections.abc import Iterable, Iterator

import pytest

from actors.console import trading
from actors.console.encoding import encoded
from actors.console.trace import Step, Trace, trace
from actors.console.trace_page import print_trace
from actors.console.views import NotFound
from actors.settings.reading import Settings
from messages.tasks import NewTask, RefreshBars
from messages.trading import TradingState, TradingTerms
from messages.values import CorrelationId, Symbol
from storage import decisions, orders, tasks
from storage.home import Home
from tests.desks import StagedDesk
from tests.ended import ended

HOLDINGS = "symbol,quantity,cost\nAAPL,10,100\nMSFT,300,1\nCASH:USD,1000,1\n"


class Ran(StagedDesk):
    """A desk, and the round that it has made."""

    about = CorrelationId("")


@pytest.fixture
def ran(home: Home) -> Iterator[Ran]:
    """A desk whose rules have made a round, a second later than its start, of which one order was approved."""
    settings = Settings(folder=home.path / "prices", trading=TradingTerms(analysts=("rules",)))
    desk = Ran(home, settings)
    desk.start()
    desk.import_text(HOLDINGS)
    desk.system.advance(1.0)
    desk.once()
    desk.about = desk.begin()
    desk.system.advance(2.0)
    trading.say(desk.access, "approve", orders.newest(desk.read, 1)[0].id)
    desk.system.settle()
    yield desk
    desk.stop()


def shape(steps: Iterable[Step], depth: int = 0) -> list[str]:
    return [
        line for step in steps for line in ("  " * depth + step.what, *shape(step.steps, depth + 1))
    ]  # fmt: skip


def found(steps: Iterable[Step], what: str) -> Step:
    """The first of its kind."""
    return next(step for each in steps for step in _all(each) if step.what == what)


def _all(step: Step) -> Iterator[Step]:
    yield step
    for each in step.steps:
        yield from _all(each)


def test_orders_that_no_decision_made_are_in_the_trace_of_what_halted(ran: Ran) -> None:
    trading.set_state(ran.access, TradingState.HALTED, "all", "a person said so", flatten=True)
    ran.system.settle()
    closing = [order for order in orders.newest(ran.read, 9) if order.flattens]

    made = trace(ran.read, closing[0].id)

    assert closing
    assert shape(made.steps) == ["order", "  approved", "  fill", "    ledger"] * len(closing)
    assert {step.id for step in made.steps} == {order.id for order in closing}
    assert "trading is HALTED" in made.steps[0].steps[0].said


def test_a_round_is_a_tree_from_its_valuation_to_the_entry_of_its_fill(ran: Ran) -> None:
    made = trace(ran.read, ran.about)

    approved = found(made.steps, "fill")
    [order] = [each for each in orders.newest(ran.read, 9) if each.filled]
    first = "AAPL" if order.ticket.symbol == "AAPL" else "MSFT"
    branch = next(step for step in made.steps[0].steps if first in step.said)
    assert shape(made.steps)[0] == "task value_portfolio"
    assert shape([branch]) == [
        "task facts",
        "  task recommendation",
        "    recommendation",
        "      task stage_order",
        "        order",
        "          staged",
        "          approved",
        "          fill",
        "            ledger",
    ]
    assert approved.id.startswith(order.id)
    assert f"trade: {order.id}" in approved.steps[0].said


def test_each_step_has_its_time_and_how_long_it_took(ran: Ran) -> None:
    made = trace(ran.read, ran.about)

    valued, order = found(made.steps, "task value_portfolio"), found(made.steps, "fill")
    begun = tasks.by_id(ran.read, int(valued.id))
    assert begun is not None
    assert (valued.at, valued.submitted_at, valued.ended_at) == (begun.submitted_at, begun.submitted_at, begun.ended_at)
    assert made.at == valued.at
    assert order.at - valued.at >= 2_000_000
    assert (order.ended_at, order.seconds) == (order.at, 0.0)


def test_a_round_goes_on_until_each_of_its_orders_has_ended(ran: Ran) -> None:
    [waiting] = orders.open_orders(ran.read)
    assert trace(ran.read, ran.about).ended_at is None

    trading.say(ran.access, "reject", waiting.id, "enough of it")
    ran.system.settle()

    assert trace(ran.read, ran.about).ended_at == ran.system.clock.utc()


def test_whatever_belongs_to_a_round_leads_to_it(ran: Ran) -> None:
    about = ran.about
    [first, *_] = tasks.together(ran.read, about)
    decision, order = decisions.together(ran.read, about)[0], orders.newest(ran.read, 1)[0]

    for id_ in (about, about[:6].upper(), str(first.id), decision.id, decision.id[:5], order.id, order.id[:13]):
        assert trace(ran.read, f" {id_} ").correlation_id == about


def test_an_import_is_its_booking(ran: Ran) -> None:
    [(about,)] = ran.read.rows(tuple[str], "SELECT correlation_id FROM ledger_transactions WHERE kind = 'opening'")

    made = trace(ran.read, about)

    assert shape(made.steps) == ["ledger"]
    assert made.steps[0].said == "opening: holdings.csv"


@pytest.mark.parametrize(("id_", "why"), [("zzzz", "is not"), ("abc", "is not"), ("", "is not"), ("9" * 30, "is not")])
def test_what_is_no_id_is_refused(ran: Ran, id_: str, why: str) -> None:
    with pytest.raises(NotFound, match=f"trace {id_}: {why} the id of anything here; give"):
        trace(ran.read, id_)


def test_what_is_the_beginning_of_two_is_refused(desk: StagedDesk) -> None:
    for about in ("abcd" + "0" * 28, "abcd" + "1" * 28):
        new = NewTask(f"refresh_bars/AAPL/{about}", "data", RefreshBars(Symbol("AAPL")))
        desk.access.submit([new], CorrelationId(about))

    with pytest.raises(NotFound, match="trace abcd: begins more than one of them"):
        trace(desk.read, "abcd")
    assert trace(desk.read, "abcd0").correlation_id == "abcd" + "0" * 28


def test_a_question_stands_below_its_task_with_its_cost_and_claudes_own_time(desk: StagedDesk) -> None:
    desk.import_text("symbol,quantity,cost\nAAPL,10,100\n")
    desk.once(claude="on")
    [asked, *_] = ended(desk.read)

    made = trace(desk.read, asked.id)

    task = found(made.steps, "task recommendation")
    question = next(step for step in task.steps if step.what == "question")
    assert question.id == asked.id
    assert f"{asked.cost:f} $ of {asked.reserved:f} $ reserved" in question.said
    [own] = question.steps
    assert own.what == "asked"
    assert own.seconds == pytest.approx(asked.seconds, abs=1e-6)


def test_it_is_printed_with_times_each_step_further_in_than_its_cause(capsys: pytest.CaptureFixture[str]) -> None:
    second, end = 1_362_096_001_000_000, 1_362_096_003_500_000
    inner = Step("recommendation", "ab12", "AAPL HOLD by rules", end, end)
    outer = Step("task facts", "7", "AAPL done, tried once", second, end, steps=[inner])
    waiting = Step("task facts", "8", "IBM queued, tried 0 times", second, None)

    print_trace(Trace(CorrelationId("1" * 32), second, None, (outer, waiting)))

    assert capsys.readouterr().out.splitlines() == [
        f"Trace {'1' * 32}, times in UTC, goes on",
        "03-01 00:00:01.000      2.500 s  task facts 7: AAPL done, tried once",
        "03-01 00:00:03.500                 recommendation ab12: AAPL HOLD by rules",
        "03-01 00:00:01.000      goes on  task facts 8: IBM queued, tried 0 times",
    ]
    assert b'"seconds":2.5' in encoded(outer)
