"""The research coordinator: from facts to a decision."""

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Final, assert_never

from actors.domain import grounding, profiles, question, rules
from actors.domain.answers import Answer, Fault, parse
from actors.kernel.me import Me
from messages import claude, research
from messages.addresses import Ref, Refused
from messages.claude import Answered, Asking, Cancel, Cause, Failed, Progress, Question, Watch
from messages.database import Statement
from messages.research import Action, Decision, Inquiry, Sheet
from messages.tasks import Finished, GiveUp, Lease, NewTask, Recommend, Run, StageOrder
from storage import bars, corpus, decisions, fact_sheets, ledger, orders, prompts, questions
from storage.connections import Reader
from storage.questions import QuestionRow

CANNOT_ASK: Final = frozenset({Cause.AUTHENTICATION, Cause.BILLING, Cause.MODEL, Cause.BUDGET, Cause.CIRCUIT_OPEN})
"""Causes that are not of this question: Claude cannot be asked at all."""
LATER: Final = 45.0
"""Seconds a task waits until Claude may be asked again; longer, and a person would rather have an answer."""
MOST_LIMITED: Final = 3
"""Times a question is put off because of a 429."""
CRASHES: Final = 2
"""Attempts that may end by a crash of the gateway before there is no view: fewer than a task has."""
REMEMBERED: Final = 3
"""Rejected orders of a symbol whose reasons Claude is told."""
OVERTIME: Final = 60.0
"""Seconds after the deadline at which the gateway is taken to have lost a question."""


@dataclass(slots=True, eq=False)
class _Open:
    """A question under way, and what came before it."""

    run: Run
    work: Recommend
    sheet: Sheet
    allowed: frozenset[str]
    listed: frozenset[str]
    ids: list[str] = field(default_factory=list[str])
    prompts: list[str] = field(default_factory=list[str])
    answers: list[str] = field(default_factory=list[str])
    checks: list[str] = field(default_factory=list[str])
    first: Answer | str | None = None
    failing: frozenset[str] = frozenset()
    faults: tuple[Fault, ...] = ()
    streamed: str = ""


@dataclass(frozen=True, slots=True)
class _Watched:
    """A look at how far a question is."""

    open: _Open
    id: str


def _unwanted(run: Run) -> bool:
    """Whether the task has ended without us: cancelled, or late."""
    return run.reply_to.told


class ResearchCoordinator:
    """Facts in, one decision out; it goes to the database with the completion of its task.

    Of Claude's answers nothing is believed that is not grounded; there is one repair, then ABSTAIN. Orders are made of
    what analysts recommend that are `traded`.
    """

    def __init__(
        self,
        me: Me[research.Message],
        gateway: Ref[claude.Message],
        settings: Asking,
        read: Reader,
        traded: Collection[str],
    ) -> None:
        self._me, self._gateway, self._settings, self._read, self._traded = me, gateway, settings, read, traded
        self._profile = profiles.analyst(settings)
        self._open, self._listed = set[_Open](), corpus.listed()

    def on_stop(self) -> None:
        """Whoever crashes here leaves no question behind that nobody waits for."""
        for each in self._open:
            self._gateway.tell(Cancel(each.ids[-1], "research has ended"))

    def on_receive(self, message: research.Message) -> None:
        """The whole protocol."""
        match message:
            case Run():
                self._decide(message)
            case GiveUp(lease):
                self._give_up(lease)
            case Progress(_Watched() as watched):
                self._look(watched, message)
            case Answered(_Open() as each) | Failed(_Open() as each) | Refused(_Open() as each) if _unwanted(each.run):
                self._close(each)
            case Answered(_Open() as each):
                self._answered(each, message.value or "")
            case Failed(_Open() as each):
                self._failed(each, message)
            case Refused(_Open() as each):
                self._refused(each, message)
            case Refused(_Watched()):
                pass  # the question's own end says what is to be said
            case Progress() | Answered() | Failed() | Refused():
                raise TypeError(f"an answer about {message.about!r}, which was never asked")
            case _:
                assert_never(message)

    def _decide(self, run: Run) -> None:
        if _unwanted(run):
            return
        work = run.expect(Recommend)
        sheet = fact_sheets.load(self._read, run.correlation_id, work.symbol)
        if sheet is None:
            run.reply_to.refuse("invalid", f"there is no fact sheet of {work.symbol} in round {run.correlation_id}")
        elif work.use_claude:
            held = {held.symbol for held in ledger.held(self._read)}
            listed = self._listed.union(bars.symbols(self._read))
            each = _Open(run, work, sheet, frozenset({work.symbol, *held}), listed)
            self._open.add(each)
            self._ask(each, question.compose(sheet, self._rejected(each)))
        else:
            self._finish(run, replace(rules.recommend(sheet), stand_in=work.why))

    def _give_up(self, lease: Lease) -> None:
        """A person has cancelled the task: what is not asked yet is not asked, and the rest is not waited for."""
        for each in self._open:
            if each.run.lease == lease:
                self._gateway.tell(Cancel(each.ids[-1], "a person has cancelled its task"))

    def _ask(self, each: _Open, prompt: str) -> None:
        run, now = each.run, self._me.clock.monotonic()
        asked = f"{run.correlation_id} {each.work.symbol} {run.lease} {len(each.ids)} {self._me.clock.utc()}"
        id_, within = hashlib.sha256(asked.encode()).hexdigest()[:16], self._settings.answer_within
        each.ids.append(id_)
        each.prompts.append(prompt)
        each.streamed = ""
        reply_to = self._me.reply_to(each, of=self._gateway, within=within + OVERTIME)
        deadline, symbol = now + within, each.work.symbol
        self._gateway.tell(
            Question(
                id_, self._profile, prompt, "recommendation", run.correlation_id, deadline, reply_to, symbol=symbol
            )
        )
        self._watch(_Watched(each, id_), 0)

    # While it streams

    def _watch(self, watched: _Watched, after: int) -> None:
        within = self._settings.answer_within + OVERTIME
        self._gateway.tell(Watch(watched.id, after, self._me.reply_to(watched, of=self._gateway, within=within)))

    def _look(self, watched: _Watched, progress: Progress) -> None:
        """Cancel what cannot be grounded any more: the rest of it would be paid for nothing."""
        each = watched.open
        if progress.ended or each not in self._open or watched.id != each.ids[-1]:
            return
        if _unwanted(each.run):
            self._gateway.tell(Cancel(watched.id, "nobody wants it any more"))
            return
        each.faults = grounding.partial(dict(progress.values), each.sheet, each.allowed, each.listed)
        if each.faults:
            each.streamed = f"{{{', '.join(f'{json.dumps(name)}: {value}' for name, value in progress.values)}}}"
            self._gateway.tell(Cancel(watched.id, "what it has said cannot be grounded"))
        else:
            self._watch(watched, progress.number)

    # When it has ended

    def _answered(self, each: _Open, value: str) -> None:
        answer = parse(value)
        if isinstance(answer, Answer):
            each.faults = grounding.faults(answer, each.sheet, each.allowed, each.listed)
            if each.first is not None and not each.faults:
                each.faults = grounding.changed(each.first, answer, each.failing)
        else:
            each.faults = answer
        self._check(each, value, answer if isinstance(answer, Answer) else None)

    def _failed(self, each: _Open, failed: Failed) -> None:
        cause = failed.cause
        soon = failed.retry_at is not None and failed.retry_at - self._me.clock.utc() <= LATER * 1e6
        if cause is Cause.CANCELLED and each.streamed:
            self._check(each, each.streamed, None, f"cancelled while it streamed; {failed.sentence}; ")
        elif each.answers:  # it has begun to answer: nobody stands in for it, and what was answered is not asked anew
            self._abstain(each, cause, failed.sentence)
        elif each.work.stand_in and cause in CANNOT_ASK:
            self._close(each)
            made, why = rules.recommend(each.sheet), f"{cause}: {failed.sentence}"
            self._finish(each.run, replace(made, stand_in=why, cost_usd=self._cost(each)))
        elif soon and cause in {Cause.CIRCUIT_OPEN, Cause.RATE_LIMITED} and self._limited(each) < MOST_LIMITED:
            self._close(each)
            each.run.reply_to.refuse(cause, failed.sentence, failed.retry_at)
        else:
            self._abstain(each, cause, failed.sentence)

    def _refused(self, each: _Open, refused: Refused) -> None:
        if refused.code == "late":
            self._abstain(each, Cause.DEADLINE, refused.sentence)
        elif refused.retry_at is not None or (refused.code == "crashed" and each.run.lease.attempt > CRASHES):
            self._abstain(each, Cause.CRASH, refused.sentence)
        else:  # it has crashed, and is tried again; or it has no room; or it has stopped, and so will the desk
            self._close(each)
            each.run.reply_to.refuse(refused.code, refused.sentence)

    def _check(self, each: _Open, raw: str, answer: Answer | None, before: str = "") -> None:
        """Take it, have it repaired once, or abstain."""
        each.answers.append(raw)
        each.checks.append(before + "; ".join(f"{fault.field}: {fault.sentence}" for fault in each.faults))
        if answer is not None and not each.faults:
            self._conclude(each, grounding.decide(each.sheet, answer, self._cost(each)))
        elif len(each.ids) == 1 and all(fault.repairable for fault in each.faults):
            each.first, each.failing = answer or raw, grounding.failing(each.faults)
            self._ask(each, question.repair(each.sheet, raw, each.faults, self._rejected(each)))
        else:
            self._conclude(each, grounding.decide(each.sheet, each.faults, self._cost(each)))

    def _abstain(self, each: _Open, cause: Cause, sentence: str) -> None:
        self._conclude(each, grounding.abstain(each.sheet, cause, sentence, self._cost(each)))

    def _conclude(self, each: _Open, decision: Decision) -> None:
        self._close(each)
        system, kept = prompts.keep(self._profile.system)
        inquiry = Inquiry(
            self._profile.model, system, tuple(each.prompts), tuple(each.answers), tuple(each.checks), tuple(each.ids)
        )
        self._finish(each.run, replace(decision, inquiry=inquiry), kept)

    def _finish(self, run: Run, decision: Decision, *others: Statement) -> None:
        effect = decisions.insert(decision, run.correlation_id, self._me.clock.utc())
        run.reply_to.tell(Finished(run.lease, (*others, effect), self._follow_ups(run, decision)))

    def _follow_ups(self, run: Run, decision: Decision) -> tuple[NewTask, ...]:
        """An order may arise from it, unless its analyst is not traded on, or only stands in for another."""
        if decision.action not in {Action.BUY, Action.SELL} or decision.analyst not in self._traded:
            return ()
        if decision.stand_in is not None:
            return ()
        id_ = decisions.id_of(decision, run.correlation_id)
        return (NewTask(f"stage_order/{id_}", "portfolio", StageOrder(id_), priority=9),)

    def _close(self, each: _Open) -> None:
        self._open.discard(each)

    def _asked(self, each: _Open) -> list[QuestionRow]:
        """All questions about this symbol in this round, those of former attempts too."""
        rows = questions.of_round(self._read, each.run.correlation_id)
        return [row for row in rows if row.symbol == each.work.symbol]

    def _rejected(self, each: _Open) -> list[str]:
        return orders.rejections(self._read, each.work.symbol, REMEMBERED)

    def _limited(self, each: _Open) -> int:
        return sum(row.outcome == Cause.RATE_LIMITED for row in self._asked(each))

    def _cost(self, each: _Open) -> Decimal:
        return sum((row.reserved if row.cost is None else row.cost for row in self._asked(each)), Decimal(0))
