"""The research coordinator: a fact sheet in, one decision out; only what is grounded counts."""

import hashlib
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

import pytest

from actors.claude.sessions import Fault
from actors.console import asking
from actors.console.asking import Mode
from actors.console.rounds import RoundFailed
from actors.domain import question, rules
from actors.kernel.testing import Probe, TestSystem
from actors.market.sample import SampleSource
from actors.research.coordinator import CANNOT_ASK, CRASHES, LATER, MOST_LIMITED, OVERTIME, ResearchCoordinator
from actors.settings.reading import Settings
from messages import claude, research
from messages.addresses import Ref, Refused
from messages.claude import Answered, Asking, Cancel, Cause, Failed, Profile, Progress, Question, Watch
from messages.research import Action, Decision, Inquiry
from messages.tasks import Finished, GiveUp, Lease, Recommend, RefreshBars, Run, Work
from messages.values import Symbol
from storage import bars, decisions, fact_sheets, prompts, questions
from storage.connections import Reader
from storage.home import Home
from storage.migrations import open_for_writing
from storage.questions import Caps
from storage.writing import WriteConnection
from tests.actors.domain.making import ACME, LAST, sheet, walk
from tests.actors.domain.making import bars as made
from tests.actors.queues import EPOCH, ROUND
from tests.desks import StagedDesk
from tests.sessions import Answer, said
from tests.stub.analyst import parsed, view

SHEET: Final = sheet(
    {
        "close": 100, "sma_50": 98, "sma_200": 90, "macd_histogram": 1, "rsi_14": 55, "adx_14": 30,
        "volatility_252": 0.2, "atr_14": 2.0,
    }
)  # fmt: skip
SECOND: Final = 1_000_000


class Researched:
    """The coordinator with a gateway that answers when the test says so."""

    def __init__(self, connection: WriteConnection) -> None:
        self.connection, self.read = connection, Reader(connection.path)
        self.system, self.ref = TestSystem(), Ref[research.Message]("research")
        self.gateway = Probe[claude.Message]("claude")
        self.system.add(
            self.ref, lambda me: ResearchCoordinator(me, self.gateway.ref, Asking(), self.read, ("claude",))
        )
        self.system.start()

    def run(self, work: Work | None = None, *, stand_in: bool = False, attempt: int = 1) -> Probe[Finished | Refused]:
        probe = Probe[Finished | Refused]("task")
        work = work or Recommend(ACME, LAST, use_claude=True, stand_in=stand_in)
        self.ref.tell(Run(Lease(3, attempt), work, ROUND, probe))
        self.system.settle()
        return probe

    def got(self, kind: type[Any]) -> list[Any]:
        return [message for message in self.gateway.received if isinstance(message, kind)]

    @property
    def last(self) -> Question:
        found: Question = self.got(Question)[-1]
        return found

    def good(self) -> dict[str, Any]:
        return dict(view(parsed(self.last.prompt)))

    def answer(self, value: dict[str, Any] | str, cost: str = "0.01") -> None:
        asked, text = self.last, value if isinstance(value, str) else json.dumps(value)
        self._settle(asked, Decimal(cost), "answered")
        told = Answered(asked.reply_to.about, asked.id, "", text, Decimal(cost), 1, anew=False)
        asked.reply_to.tell(told)
        self.system.settle()

    def fail(self, cause: Cause, retry_in: float | None = None, cost: str = "0.002") -> None:
        asked = self.last
        self._settle(asked, Decimal(cost), cause)
        retry_at = None if retry_in is None else self.system.clock.utc() + round(retry_in * SECOND)
        about = asked.reply_to.about
        asked.reply_to.tell(Failed(about, asked.id, cause, f"a test says {cause}", Decimal(cost), retry_at))
        self.system.settle()

    def stream(self, **values: object) -> None:
        watch, asked = self.got(Watch)[-1], self.last
        complete = tuple((name, json.dumps(value)) for name, value in values.items())
        progress = Progress(watch.reply_to.about, asked.id, ROUND, ACME, watch.after + 1, "", "", complete, ended=False)
        watch.reply_to.tell(progress)
        self.system.settle()

    def _settle(self, asked: Question, cost: Decimal, outcome: questions.Outcome) -> None:
        much, now = Caps(*[Decimal(100)] * 4), self.system.clock.utc()
        reserve = questions.reserve(asked, Decimal("0.1"), much, now)
        self.connection.commit([[reserve, questions.settle(asked, cost, outcome, 1.0, now)]])

    def decided(self, probe: Probe[Finished | Refused]) -> Decision:
        """The one decision that comes of it, as it is stored with the completion of the task."""
        [finished] = probe.received
        assert isinstance(finished, Finished), finished
        self.connection.commit([finished.effects])
        [record] = decisions.together(self.read, ROUND)
        assert EPOCH <= record.at <= self.system.clock.utc()
        return record.decision

    def inquiry(self, probe: Probe[Finished | Refused]) -> tuple[Decision, Inquiry]:
        decision = self.decided(probe)
        assert decision.inquiry is not None
        return decision, decision.inquiry


@pytest.fixture
def connection(home: Home) -> Iterator[WriteConnection]:
    opened = open_for_writing(home, {}, 0)
    read = Reader(home.database)
    opened.commit([[fact_sheets.insert(SHEET, ROUND, 0)]])
    for name in (ACME, Symbol("IBM")):
        opened.commit([list(bars.replace(read, name, made(walk(30))))])
    yield opened
    opened.close()


@pytest.fixture
def research_desk(connection: WriteConnection) -> Researched:
    return Researched(connection)


def cause(decision: Decision) -> str:
    assert decision.action is Action.ABSTAIN
    assert decision.analyst == "claude"
    assert (decision.conviction, decision.target, decision.thesis, decision.cited) == (None, None, None, ())
    return (decision.cause or "").partition(":")[0]


# By the rules


def test_the_rules_decision_on_the_sheet_of_the_round_is_the_effect_of_the_task(research_desk: Researched) -> None:
    probe = research_desk.run(Recommend(ACME, LAST, use_claude=False))

    decision = research_desk.decided(probe)
    assert decision == rules.recommend(SHEET)
    assert decision.action == "BUY"
    assert research_desk.gateway.received == []


def test_that_the_rules_stand_in_for_claude_is_kept(research_desk: Researched) -> None:
    probe = research_desk.run(Recommend(ACME, LAST, use_claude=False, stand_in=True, why="budget: nothing left"))

    decision = research_desk.decided(probe)
    assert (decision.analyst, decision.stand_in) == ("rules", "budget: nothing left")


@pytest.mark.parametrize("use_claude", [False, True])
def test_without_a_sheet_there_is_nothing_to_decide(research_desk: Researched, use_claude: bool) -> None:
    probe = research_desk.run(Recommend(Symbol("IBM"), LAST, use_claude=use_claude))

    assert probe.received == [Refused("task", "invalid", f"there is no fact sheet of IBM in round {ROUND}")]
    assert research_desk.gateway.received == []


def test_another_task_is_a_bug_and_crashes(research_desk: Researched) -> None:
    [refused] = research_desk.run(RefreshBars(ACME)).received

    assert isinstance(refused, Refused)
    assert refused.code == "crashed"
    assert "RefreshBars came where Recommend is run" in str(research_desk.system.recorder.crashes[0][1])


# By Claude


def test_a_good_answer_becomes_a_decision_with_all_that_was_asked_and_said(research_desk: Researched) -> None:
    probe = research_desk.run()
    asked, good = research_desk.last, research_desk.good()
    research_desk.answer(good)

    decision, inquiry = research_desk.inquiry(probe)
    assert (decision.symbol, decision.analyst, decision.action) == (ACME, "claude", Action.BUY)
    assert (decision.thesis, decision.cited) == (good["thesis"], tuple(good["cited"]))
    assert decision.cost_usd == Decimal("0.01")
    system = hashlib.sha256(question.SYSTEM.encode()).hexdigest()
    assert inquiry == Inquiry(
        "claude-sonnet-5", system, (question.compose(SHEET),), (json.dumps(good),), ("",), (asked.id,)
    )
    assert prompts.load(research_desk.read, system) == question.SYSTEM
    assert (asked.purpose, asked.correlation_id, asked.symbol, asked.conversation) == (
        "recommendation", ROUND, ACME, None,
    )  # fmt: skip
    assert asked.deadline == Asking().answer_within


def test_an_abstention_of_claudes_own_is_one(research_desk: Researched) -> None:
    probe = research_desk.run()
    nothing = dict.fromkeys(research_desk.good())
    research_desk.answer({**nothing, "action": "ABSTAIN", "cited": [], "cause": "The facts contradict each other."})

    assert research_desk.decided(probe).cause == "abstained: The facts contradict each other."
    assert len(research_desk.got(Question)) == 1


def test_an_answer_that_cannot_stand_is_repaired_once(research_desk: Researched) -> None:
    probe = research_desk.run()
    good = research_desk.good()
    research_desk.answer(good | {"target": 1_000.0})
    assert probe.received == []
    first, second = research_desk.got(Question)
    research_desk.answer(good, cost="0.03")

    decision, inquiry = research_desk.inquiry(probe)
    assert decision.action is Action.BUY
    assert decision.cost_usd == Decimal("0.04")
    assert inquiry.questions == (first.id, second.id)
    assert first.id != second.id
    assert inquiry.prompts == (first.prompt, second.prompt)
    assert second.prompt.startswith(question.compose(SHEET))  # complete in itself: it is asked in a fresh conversation
    assert "1000.0" in second.prompt
    assert "Correct these fields: target." in second.prompt
    assert second.conversation is None
    assert "target" in inquiry.checks[0]
    assert inquiry.checks[1] == ""
    assert len(inquiry.answers) == 2


def test_a_repair_that_changes_another_field_is_no_repair(research_desk: Researched) -> None:
    probe = research_desk.run()
    good = research_desk.good()
    research_desk.answer(good | {"target": 1_000.0})
    research_desk.answer(good | {"conviction": 0.9})

    decision, inquiry = research_desk.inquiry(probe)
    assert cause(decision) == "changed_field"
    assert len(inquiry.questions) == 2


def test_a_repair_that_cannot_stand_either_is_an_abstention(research_desk: Researched) -> None:
    probe = research_desk.run()
    good = research_desk.good()
    research_desk.answer(good | {"target": 1_000.0})
    research_desk.answer(good | {"target": 2_000.0})

    assert cause(research_desk.decided(probe)) == "outside_band"
    assert len(research_desk.got(Question)) == 2


def test_a_foreign_symbol_is_not_repaired(research_desk: Researched) -> None:
    probe = research_desk.run()
    research_desk.answer(research_desk.good() | {"thesis": "IBM is better; the close is {f1}.", "cited": ["f1"]})

    decision = research_desk.decided(probe)
    assert cause(decision) == "foreign_symbol"
    assert "IBM" in (decision.cause or "")
    assert len(research_desk.got(Question)) == 1


@pytest.mark.parametrize("raw", ["", "no JSON", "[]", "{}", '{"action": "BUY"}'])
def test_what_is_no_answer_at_all_is_repaired_once_and_then_an_abstention(research_desk: Researched, raw: str) -> None:
    probe = research_desk.run()
    research_desk.answer(raw)
    research_desk.answer(raw)

    decision, inquiry = research_desk.inquiry(probe)
    assert cause(decision) == "schema"
    assert inquiry.answers == (raw, raw)


# While it streams


def test_what_can_still_be_grounded_is_let_go_on(research_desk: Researched) -> None:
    research_desk.run()
    research_desk.stream(action="BUY")
    research_desk.stream(action="BUY", conviction=0.6)

    assert research_desk.got(Cancel) == []
    assert [watch.after for watch in research_desk.got(Watch)] == [0, 1, 2]


def test_what_cannot_be_grounded_any_more_is_cancelled_and_repaired(research_desk: Researched) -> None:
    probe = research_desk.run()
    first, good = research_desk.last, research_desk.good()
    research_desk.stream(action="BUY", conviction=0.6, horizon_days=21, target=1_000.0)
    assert research_desk.got(Cancel) == [Cancel(first.id, "what it has said cannot be grounded")]
    research_desk.fail(Cause.CANCELLED)
    assert probe.received == []
    research_desk.answer(good)

    decision, inquiry = research_desk.inquiry(probe)
    assert decision.action is Action.BUY
    assert decision.cost_usd == Decimal("0.012")
    assert json.loads(inquiry.answers[0]) == {"action": "BUY", "conviction": 0.6, "horizon_days": 21, "target": 1_000.0}
    assert len(inquiry.checks) == len(inquiry.answers) == 2
    assert inquiry.checks[0].startswith("cancelled while it streamed; a test says cancelled; target: ")


def test_a_repair_after_that_may_not_change_what_had_been_said_either(research_desk: Researched) -> None:
    probe = research_desk.run()
    good = research_desk.good()
    research_desk.stream(action="BUY", conviction=0.9, horizon_days=21, target=1_000.0)
    research_desk.fail(Cause.CANCELLED)
    research_desk.answer(good)

    assert cause(research_desk.decided(probe)) == "changed_field"


def test_a_foreign_symbol_is_cancelled_and_not_repaired(research_desk: Researched) -> None:
    probe = research_desk.run()
    research_desk.stream(action="BUY", thesis="IBM is better; the close is {f1}.")
    research_desk.fail(Cause.CANCELLED)

    assert cause(research_desk.decided(probe)) == "foreign_symbol"
    assert len(research_desk.got(Question)) == 1


def test_an_answer_that_was_quicker_than_its_cancelling_is_judged_as_a_whole(research_desk: Researched) -> None:
    probe = research_desk.run()
    good = research_desk.good()
    research_desk.stream(action="BUY", target=1_000.0)
    research_desk.answer(good)

    assert research_desk.decided(probe).action is Action.BUY


def test_what_is_still_heard_of_a_former_question_is_not_taken_for_the_repair(research_desk: Researched) -> None:
    research_desk.run()
    old = research_desk.got(Watch)[-1]
    research_desk.answer(research_desk.good() | {"target": 1_000.0})
    bad = (("target", "1000.0"),)
    old.reply_to.tell(Progress(old.reply_to.about, old.of, ROUND, ACME, 9, "", "", bad, ended=False))
    research_desk.system.settle()

    assert research_desk.got(Cancel) == []


def test_a_watch_that_is_refused_changes_nothing(research_desk: Researched) -> None:
    probe = research_desk.run()
    research_desk.got(Watch)[-1].reply_to.refuse("full", "no room")
    research_desk.answer(research_desk.good())

    assert research_desk.decided(probe).action is Action.BUY


# Without an answer


@pytest.mark.parametrize("why", list(Cause))
def test_every_cause_is_an_abstention_with_that_cause_and_never_the_rules(
    research_desk: Researched, why: Cause
) -> None:
    probe = research_desk.run()
    research_desk.fail(why)

    decision, inquiry = research_desk.inquiry(probe)
    assert cause(decision) == why
    assert f"a test says {why}" in (decision.cause or "")
    assert decision.stand_in is None
    assert decision.cost_usd == Decimal("0.002")
    assert len(inquiry.prompts) == len(inquiry.questions) == 1
    assert inquiry.answers == ()


@pytest.mark.parametrize("why", list(Cause))
def test_where_claude_cannot_be_asked_at_all_the_rules_stand_in_if_they_may(
    research_desk: Researched, why: Cause
) -> None:
    probe = research_desk.run(stand_in=True)
    research_desk.fail(why)

    decision = research_desk.decided(probe)
    if why in CANNOT_ASK:
        assert (decision.analyst, decision.action) == ("rules", rules.recommend(SHEET).action)
        assert (decision.stand_in or "").startswith(f"{why}: ")
    else:
        assert cause(decision) == why


@pytest.mark.parametrize("why", [Cause.RATE_LIMITED, Cause.CIRCUIT_OPEN])
def test_a_task_whose_question_may_be_asked_again_soon_is_put_off(research_desk: Researched, why: Cause) -> None:
    probe = research_desk.run()
    research_desk.fail(why, retry_in=LATER)

    assert probe.received == [Refused("task", why, f"a test says {why}", EPOCH + round(LATER * SECOND))]


@pytest.mark.parametrize("why", [Cause.RATE_LIMITED, Cause.CIRCUIT_OPEN])
def test_one_that_may_be_asked_again_much_later_is_not(research_desk: Researched, why: Cause) -> None:
    probe = research_desk.run()
    research_desk.fail(why, retry_in=LATER + 1)

    assert cause(research_desk.decided(probe)) == why


def test_after_so_many_429s_it_is_put_off_no_more(research_desk: Researched) -> None:
    for n in range(MOST_LIMITED - 1):
        probe = research_desk.run()
        research_desk.fail(Cause.RATE_LIMITED, retry_in=5, cost="0.001")
        assert isinstance(probe.received[0], Refused), n
        research_desk.system.advance(6)
    probe = research_desk.run()
    research_desk.fail(Cause.RATE_LIMITED, retry_in=5, cost="0.001")

    decision = research_desk.decided(probe)
    assert cause(decision) == "rate_limited"
    assert decision.cost_usd == MOST_LIMITED * Decimal("0.001")


def test_a_gateway_that_is_down_for_a_while_is_an_abstention(research_desk: Researched) -> None:
    probe = research_desk.run()
    research_desk.last.reply_to.refuse("down", "it broke", EPOCH + SECOND)
    research_desk.system.settle()

    assert cause(research_desk.decided(probe)) == "crash"


def test_a_gateway_that_crashes_is_asked_again_and_then_there_is_no_view(research_desk: Researched) -> None:
    for attempt in range(1, CRASHES + 1):
        probe = research_desk.run(attempt=attempt)
        research_desk.last.reply_to.refuse("crashed", "it broke")
        research_desk.system.settle()
        assert probe.received == [Refused("task", "crashed", "it broke")]
    probe = research_desk.run(attempt=CRASHES + 1)
    research_desk.last.reply_to.refuse("crashed", "it broke")
    research_desk.system.settle()

    assert cause(research_desk.decided(probe)) == "crash"


def test_after_an_answer_a_failed_repair_is_an_abstention_and_neither_put_off_nor_stood_in_for(
    research_desk: Researched,
) -> None:
    probe = research_desk.run(stand_in=True)
    research_desk.answer(research_desk.good() | {"target": 1_000.0})
    research_desk.fail(Cause.CIRCUIT_OPEN, retry_in=5)

    decision, inquiry = research_desk.inquiry(probe)
    assert cause(decision) == "circuit_open"
    assert (len(inquiry.questions), len(inquiry.answers)) == (2, 1)


@pytest.mark.parametrize("code", ["full", "down"])
def test_a_gateway_without_room_or_that_has_stopped_is_no_answer_of_any_kind(
    research_desk: Researched, code: str
) -> None:
    probe = research_desk.run()
    research_desk.last.reply_to.refuse(code, "not now")
    research_desk.system.settle()

    assert probe.received == [Refused("task", code, "not now")]


def test_a_gateway_that_has_lost_the_question_is_a_missed_deadline(research_desk: Researched) -> None:
    probe = research_desk.run()
    research_desk.system.advance(Asking().answer_within + OVERTIME - 1)
    assert probe.received == []
    research_desk.system.advance(2)

    assert cause(research_desk.decided(probe)) == "deadline"


def test_an_answer_to_what_was_never_asked_is_a_bug_and_crashes(research_desk: Researched) -> None:
    research_desk.ref.tell(Answered("nothing", "q", "", None, Decimal(0), 1, anew=False))
    research_desk.system.settle()

    assert "which was never asked" in str(research_desk.system.recorder.crashes[0][1])


def test_after_a_crash_nobody_is_asked_for_nobody(research_desk: Researched) -> None:
    probe = research_desk.run()
    asked = research_desk.last
    research_desk.system.crash(research_desk.ref)
    research_desk.system.settle()
    research_desk.answer(research_desk.good())
    research_desk.system.advance(1)

    [refused] = probe.received
    assert isinstance(refused, Refused)
    assert refused.code == "crashed"
    assert research_desk.got(Cancel) == [Cancel(asked.id, "research has ended")]


def test_what_former_attempts_have_cost_is_part_of_the_decisions_cost(research_desk: Researched) -> None:
    research_desk.run()
    research_desk.fail(Cause.RATE_LIMITED, retry_in=5, cost="0.004")
    research_desk.system.advance(6)
    probe = research_desk.run(attempt=2)
    research_desk.answer(research_desk.good())

    decision, inquiry = research_desk.inquiry(probe)
    assert decision.cost_usd == Decimal("0.014")
    assert len(inquiry.questions) == 1


# A whole desk


def held(home: Home, **settings: Any) -> StagedDesk:
    """A desk that holds five symbols."""
    desk = StagedDesk(home, Settings(claude=Asking(**settings))).start()
    symbols = sorted(SampleSource()._all())[:5]  # pyright: ignore[reportPrivateUsage]
    lines = "".join(f"{symbol},10,50\n" for symbol in symbols)
    desk.import_text(f"symbol,quantity,cost\n{lines}CASH:USD,10000,1\n")
    return desk


def refusing(profile: Profile, prompt: str) -> Answer:
    return Answer(Fault(None, Cause.REFUSED, "no", Decimal("0.001")))


def hanging(profile: Profile, prompt: str) -> Answer:
    return Answer(None)


def test_a_round_of_five_symbols_is_one_question_each_one_at_a_time(home: Home) -> None:
    desk = held(home)
    report = desk.once(claude="on")

    assert [each.analyst for each in report.recommendations] == ["claude"] * 5
    assert [each.cost_usd for each in report.recommendations] == [Decimal("0.01")] * 5
    assert len(desk.sessions.asked) == 5
    assert all(len(talk) == 1 for _, talk in desk.sessions.asked)
    assert len(desk.sessions.made) == 1
    desk.stop()


def test_while_claude_is_asked_at_most_two_tasks_wait_for_it_and_facts_go_on(home: Home) -> None:
    desk, leased, done = held(home), list[int](), list[int]()

    def watched(*_: object) -> Answer:
        rows = desk.tasks()
        leased.append(sum(row.state == "leased" for row in rows))
        done.append(sum(row.state == "done" and row.type == "facts" for row in rows))
        return Answer(said(value="{}"))

    desk.sessions.answers = watched
    desk.once(claude="on")

    assert max(leased) <= 2
    assert done[-1] == 5
    assert done[1] == 5  # before the second question all facts are there
    desk.stop()


@pytest.mark.parametrize("mode", ["on", "auto"])
def test_where_claude_fails_there_is_no_view_and_never_the_rules(home: Home, mode: Mode) -> None:
    desk = held(home)
    desk.sessions.answers = refusing
    report = desk.once(claude=mode)

    assert [(each.analyst, each.action) for each in report.recommendations] == [("claude", Action.ABSTAIN)] * 5
    assert all((each.cause or "").startswith("refused") for each in report.recommendations)
    desk.stop()


@pytest.mark.parametrize("usd", ["max_usd_per_question", "max_usd_per_round"])
def test_a_ceiling_of_nothing_is_rules_with_auto_and_abstain_with_on(home: Home, usd: str) -> None:
    desk = held(home, **{usd: Decimal(0)})
    on, auto = desk.once(claude="on"), desk.once(claude="auto", again=True)

    assert [(each.analyst, each.action) for each in on.recommendations] == [("claude", Action.ABSTAIN)] * 5
    assert all((each.cause or "").startswith("budget") for each in on.recommendations)
    assert [each.analyst for each in auto.recommendations] == ["rules"] * 5
    assert desk.sessions.asked == []
    desk.stop()


def test_a_day_without_dollars_is_said_before_anything_begins(home: Home) -> None:
    desk = held(home, max_usd_per_day=Decimal(0))
    with pytest.raises(RoundFailed, match="budget"):
        desk.once(claude="on")
    report = desk.once(claude="auto")

    assert [each.analyst for each in report.recommendations] == ["rules"] * 5
    desk.stop()


def test_a_round_of_a_killed_research_deskends_on_the_next_one_and_every_question_is_paid_once(home: Home) -> None:
    first = held(home)
    first.sessions.answers = hanging
    asking.agree(first.access)
    correlation_id = first.begin(claude="on")
    first.system.advance(1)
    [left] = questions.of_round(first.read, correlation_id)[:1]
    assert left.outcome is None

    second = StagedDesk(home, first.settings, at=first.system.clock.monotonic() + 1).start()
    report = second.once(claude="on")

    assert [each.analyst for each in report.recommendations] == ["claude"] * 5
    rows = questions.of_round(second.read, correlation_id)
    assert all(row.outcome for row in rows)
    assert sum((row.cost or Decimal(0) for row in rows), Decimal(0)) == sum(
        (each.cost_usd for each in report.recommendations), Decimal(0)
    )
    assert sum(row.outcome == "crash" for row in rows) <= 2
    second.stop()


# When a person cancels the task


def test_of_a_cancelled_task_the_question_is_cancelled_and_nothing_is_decided(research_desk: Researched) -> None:
    task = research_desk.run()
    asked = research_desk.last

    task.refuse("cancelled", "a person has cancelled it")
    research_desk.ref.tell(GiveUp(Lease(3, 1)))
    research_desk.system.settle()
    cancelled = research_desk.got(Cancel)
    research_desk.fail(Cause.CANCELLED)

    assert cancelled == [Cancel(asked.id, "a person has cancelled its task")]
    assert [type(each) for each in task.received] == [Refused]
    assert research_desk.got(Question) == [asked]


def test_of_a_cancelled_task_an_answer_that_comes_all_the_same_is_not_repaired(research_desk: Researched) -> None:
    task = research_desk.run()

    task.refuse("cancelled", "a person has cancelled it")
    research_desk.answer("no JSON")

    assert [type(each) for each in task.received] == [Refused]
    assert len(research_desk.got(Question)) == 1


def test_what_streams_for_a_task_that_has_ended_is_cancelled_though_nobody_said_so(research_desk: Researched) -> None:
    task = research_desk.run()

    task.refuse("late", "it took too long")
    research_desk.stream(action="BUY")

    assert [each.why for each in research_desk.got(Cancel)] == ["nobody wants it any more"]


def test_a_task_that_was_cancelled_before_it_began_is_not_asked(research_desk: Researched) -> None:
    probe = Probe[Finished | Refused]("task")
    probe.refuse("cancelled", "a person has cancelled it")
    research_desk.ref.tell(Run(Lease(3, 1), Recommend(ACME, LAST, use_claude=True), ROUND, probe))
    research_desk.system.settle()

    assert research_desk.gateway.received == []
    assert [type(each) for each in probe.received] == [Refused]
