"""The gateway: owns every conversation with Claude, and every dollar that is spent on one."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any, Final, Literal, assert_never

from actors.claude.board import Board
from actors.claude.sessions import Cleared, Fault, Heard, Opened, Said, Sessions
from actors.claude.talks import SHARED, SPARE, Phase, Talk, Talks
from actors.claude.till import Till
from actors.domain import breaker as rules
from actors.domain.breaker import Breaker
from actors.kernel.me import Me
from messages import claude, database
from messages.addresses import Ref, Refused
from messages.claude import (
    Answered,
    Asking,
    BreakerChanged,
    Cancel,
    Cause,
    Consent,
    Done,
    Failed,
    Prepare,
    Prepared,
    Profile,
    Question,
    Reset,
    Watch,
)
from messages.database import Committed, Statement, Write
from storage import breaker, consents, questions
from storage.connections import Reader
from storage.model_prices import UnknownPrice

PROGRAM: Final = Ref[Any]("the Claude program")
"""Not an actor, but what is waited for has a name."""
COMMIT_WITHIN: Final = 60.0
CLEAR_WITHIN: Final = 10.0
"""Seconds; clearing takes .04 to .17."""
LONGEST: Final = 1_000_000
"""Characters of a prompt: far above any conversation's room, far below what would choke the program."""
GATE: Final = 60.0
"""Seconds after a 429 that does not say how long."""
NOT_SIGNED_IN: Final = "nobody is signed in: sign in with `claude`, or set ANTHROPIC_API_KEY"


@dataclass(slots=True, eq=False)
class _Turn:
    """A question from when it came in until it is settled."""

    question: Question
    dollars: Decimal = Decimal(0)
    money: Literal["asked for", "reserved", "over a ceiling"] = "asked for"
    talk: Talk | None = None
    anew: bool = False
    probe: bool = False
    asked_at: float | None = None
    heard: Heard | None = None
    heard_at: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class _Writing:
    """A write on its way, and what is done once it is on disk."""

    statements: tuple[Statement, ...]
    reserves: _Turn | None = None
    then: Callable[[], None] | None = None
    changed: BreakerChanged | None = None


@dataclass(frozen=True, slots=True)
class _Silence:
    """Look whether a turn has said anything since."""

    turn: _Turn


@dataclass(frozen=True, slots=True)
class _Deadline:
    """The time of a question is up, wherever it is."""

    turn: _Turn


@dataclass(frozen=True, slots=True)
class _Idle:
    """Look whether a program was used since then."""

    talk: Talk
    used: float


class WriteLost(RuntimeError):
    """The writer has not kept what was spent; this incarnation ends, and the next reads what is on disk."""


Message = claude.Message | Heard | Opened | Cleared | Said | Fault | _Writing | _Silence | _Deadline | _Idle


class ClaudeGateway:
    """One line of questions; dollars are reserved before one is asked and settled after it, whatever became of it."""

    def __init__(
        self,
        me: Me[Message],
        here: Ref[Message],
        writer: Ref[database.Message],
        sessions: Sessions,
        asking: Asking,
        read: Reader,
    ) -> None:
        self._me, self._here, self._writer, self._read, self._asking = me, here, writer, read, asking
        self._sessions, self._talks = sessions, Talks(sessions, asking.max_clients)
        self._till, self._board = Till(asking, read), Board(me.clock.monotonic)
        self._turns = dict[str, _Turn]()  # in the order in which they came
        self._breaker = Breaker()

    def on_start(self) -> None:
        """Kill what a predecessor has left, and charge what was under way when the desk was killed."""
        self._sessions.reap()
        if (row := breaker.latest(self._read)) is not None:
            before = Breaker(row.state, row.failures, row.cause, row.sentence, row.retry_at)
            self._breaker = rules.recovered(before, self._now())
        if questions.left(self._read):
            self._send(_Writing((questions.settle_left(self._now()),)))

    def on_stop(self) -> None:
        """Nothing may outlive this incarnation; what it has asked is charged by estimate."""
        self._sessions.reap()
        for turn in self._turns.values():
            spent = self._estimate(turn)
            self._send(_Writing((questions.settle(turn.question.id, spent, Cause.CANCELLED, None, self._now()),)))

    def on_receive(self, message: Message) -> None:
        """The whole protocol: from askers, from programs, from the writer, from the clock."""
        match message:
            case Question():
                self._accept(message)
            case Cancel():
                self._cancel(message)
            case Watch():
                self._board.watch(message)
            case Prepare():
                self._prepare(message)
            case Consent():
                self._consent(message)
            case Reset():
                self._reset(message)
            case Opened(Talk() as talk):
                self._opened(talk, message.account)
            case Cleared(Talk() as talk):
                self._ready(talk)
            case Heard():
                self._hear(message)
            case Said(_Turn() as turn):
                self._said(turn, message)
            case Fault(_Turn() as turn):
                self._fail(turn, message.cause, message.sentence, message.cost, message.retry_in)
            case Fault(Talk() as talk):
                self._lost(talk, message.cause, message.sentence)
            case Committed(_Writing() as writing, rows):
                self._committed(writing, rows)
            case Refused(_Writing() as writing):
                self._unwritten(writing, message)
            case Refused(Talk() as talk):
                self._lost(talk, Cause.TIMEOUT, message.sentence)
            case Refused(_Turn() as turn):
                self._fail(turn, Cause.TIMEOUT, message.sentence)
            case _Silence(turn):
                self._listen(turn)
            case _Deadline(turn):
                self._fail(turn, Cause.DEADLINE, "its time is up; see [claude] answer_within")
            case _Idle(talk, used):
                if talk.used == used and talk.taken is None:
                    self._talks.drop(talk)
            case _Writing():
                self._send(message)
            case Opened() | Cleared() | Said() | Fault() | Committed() | Refused():
                raise TypeError(f"an answer about {message.about!r}, which was never asked")
            case _:
                assert_never(message)

    # The line

    def _accept(self, question: Question) -> None:
        turn, now = _Turn(question), self._me.clock.monotonic()
        if question.id in self._turns:
            raise ValueError(f"question {question.id} came twice")
        self._turns[question.id] = turn
        if question.deadline <= now:
            self._fail(turn, Cause.DEADLINE, "its deadline had passed when it came in")
        elif len(question.prompt) > LONGEST:
            self._fail(turn, Cause.TOO_LONG, f"the prompt has more than {LONGEST} characters")
        elif "\0" in question.prompt or not question.prompt.strip():
            self._fail(turn, Cause.REFUSED, "the prompt is blank or has NUL characters")
        else:
            try:
                turn.dollars = self._till.estimate(question, self._talks.history(question))
            except UnknownPrice as error:
                self._fail(turn, Cause.BUDGET, str(error))
                return
            self._me.after(question.deadline - now, _Deadline(turn))
            self._reserve(turn)
            self._next()

    def _next(self) -> None:
        """Begin what may begin, in the order in which it came; of one conversation one at a time."""
        for turn in tuple(self._turns.values()):
            if sum(each.talk is not None for each in self._turns.values()) >= self._asking.side_by_side:
                return
            if turn.talk is None and self._turns.get(turn.question.id) is turn:
                self._begin(turn)

    def _begin(self, turn: _Turn) -> None:
        question = turn.question
        name = SHARED if question.conversation is None else question.conversation
        talk = self._talks.find(question.profile, name)
        if talk is not None and talk.taken is not None:
            return
        admission = rules.admits(self._breaker, self._now())
        if admission.verdict == "refused":
            self._end(turn, Cause.CIRCUIT_OPEN, self._closed(), Decimal(0), admission.retry_at)
            return
        if talk is None:
            talk = self._talks.new(question.profile, name, self._me.clock.monotonic())
            if talk is None:
                return
            turn.anew = question.conversation is not None
            self._open(talk)
        talk.taken, turn.talk = question, talk
        if admission.verdict == "probe":
            turn.probe = True
            self._send(_Writing(self._become(rules.probing(self._breaker)), changed=self._change()))
        if turn.money == "over a ceiling":
            self._reserve(turn)  # once more: others have been settled since
        self._go(turn)

    def _go(self, turn: _Turn) -> None:
        """Ask, if the dollars are reserved and the program is ready."""
        talk, question = turn.talk, turn.question
        if talk is None or turn.asked_at is not None or talk.phase is not Phase.READY or turn.money != "reserved":
            return
        if talk.account is None:
            self._fail(turn, Cause.AUTHENTICATION, NOT_SIGNED_IN)
            return
        turn.asked_at = turn.heard_at = self._me.clock.monotonic()
        left = question.deadline - turn.asked_at
        reply_to = self._me.reply_to(turn, of=PROGRAM, within=left + COMMIT_WITHIN)
        talk.session.ask(question.id, question.prompt, self._here.tell, reply_to)
        self._me.after(self._asking.first_token_within, _Silence(turn))
        self._board.show(question, None)

    def _cancel(self, cancel: Cancel) -> None:
        for turn in tuple(self._turns.values()):
            if cancel.of in (turn.question.id, turn.question.correlation_id):
                self._fail(turn, Cause.CANCELLED, cancel.why)

    def _listen(self, turn: _Turn) -> None:
        if self._turns.get(turn.question.id) is turn:
            limit = self._asking.silence if turn.heard else self._asking.first_token_within
            left = turn.heard_at + limit - self._me.clock.monotonic()
            if left > 0:
                self._me.after(left, _Silence(turn))
            else:
                what = "has said nothing more" if turn.heard else "has not begun to answer"
                self._fail(turn, Cause.TIMEOUT, f"Claude {what} for {limit:g} s")

    # Programs

    def _open(self, talk: Talk) -> None:
        talk.session.open(self._me.reply_to(talk, of=PROGRAM, within=self._asking.connect_within))

    def _opened(self, talk: Talk, account: str | None) -> None:
        talk.account = account
        for prepare in talk.waiting:
            self._prepared(prepare, account)
        talk.waiting.clear()
        self._ready(talk)
        if self._asking.standby and self._talks.find(talk.profile, talk.name) is talk and talk.name != SPARE:
            self._stand_by(talk.profile)

    def _stand_by(self, profile: Profile) -> None:
        if all((talk.profile, talk.name) != (profile, SPARE) for talk in self._talks):
            spare = self._talks.new(profile, SPARE, self._me.clock.monotonic())
            if spare is not None:
                self._open(spare)

    def _ready(self, talk: Talk) -> None:
        talk.phase = Phase.READY
        if talk.taken is not None:
            self._go(self._turns[talk.taken.id])
        else:
            self._me.after(self._asking.idle, _Idle(talk, talk.used))

    def _lost(self, talk: Talk, cause: Cause, sentence: str) -> None:
        """It has not started, or not cleared."""
        for prepare in talk.waiting:
            prepare.reply_to.tell(Failed(prepare.reply_to.about, "", cause, sentence, Decimal(0)))
        self._talks.drop(talk)
        if talk.taken is not None and (turn := self._turns.get(talk.taken.id)) is not None:
            self._fail(turn, cause, sentence)
        self._next()

    def _release(self, talk: Talk) -> None:
        """It was asked, and can be asked again."""
        talk.taken, talk.used = None, self._me.clock.monotonic()
        if talk.name == SHARED:
            talk.phase = Phase.CLEARING
            talk.session.clear(self._me.reply_to(talk, of=PROGRAM, within=CLEAR_WITHIN))
        else:
            self._ready(talk)

    def _prepare(self, prepare: Prepare) -> None:
        reply_to, refused = prepare.reply_to, rules.admits(self._breaker, self._now())
        if refused.verdict == "refused":
            reply_to.tell(Failed(reply_to.about, "", Cause.CIRCUIT_OPEN, self._closed(), Decimal(0), refused.retry_at))
            return
        if (closed := self._till.closed(prepare.profile, self._now())) is not None:
            reply_to.tell(Failed(reply_to.about, "", Cause.BUDGET, closed, Decimal(0)))
            return
        talk = self._talks.find(prepare.profile, SHARED)
        if talk is None and (talk := self._talks.new(prepare.profile, SHARED, self._me.clock.monotonic())) is not None:
            self._open(talk)
        if talk is None or talk.phase is not Phase.OPENING:
            self._prepared(prepare, "in use" if talk is None else talk.account)
        else:
            talk.waiting.append(prepare)

    def _prepared(self, prepare: Prepare, account: str | None) -> None:
        reply_to = prepare.reply_to
        if account is None:
            reply_to.tell(Failed(reply_to.about, "", Cause.AUTHENTICATION, NOT_SIGNED_IN, Decimal(0)))
        else:
            reply_to.tell(Prepared(reply_to.about, account))

    # What is heard

    def _hear(self, heard: Heard) -> None:
        turn = self._turns.get(heard.turn)
        if turn is not None and turn.asked_at is not None:
            turn.heard, turn.heard_at = heard, self._me.clock.monotonic()
            self._board.show(turn.question, heard)

    # Ends

    def _said(self, turn: _Turn, said: Said) -> None:
        if self._turns.get(turn.question.id) is turn:
            self._end(turn, said, "", said.cost)
            if turn.talk is not None:
                turn.talk.history += len(turn.question.prompt.encode()) + len(said.text.encode())
                self._release(turn.talk)
            self._next()

    def _fail(
        self,
        turn: _Turn,
        cause: Cause,
        sentence: str,
        spent: Decimal | None = None,
        retry_in: float | None = None,
    ) -> None:
        """End a turn without an answer, unless it has ended. A program that was asked is of no more use."""
        if self._turns.get(turn.question.id) is not turn:
            return
        retry_at = self._now() + round((retry_in or GATE) * 1e6) if cause is Cause.RATE_LIMITED else None
        self._end(turn, cause, sentence, self._estimate(turn) if spent is None else spent, retry_at)
        if turn.talk is not None:
            if turn.asked_at is not None or turn.talk.account is None:
                self._talks.drop(turn.talk)
            turn.talk.taken = None
        self._next()

    def _end(
        self, turn: _Turn, outcome: Said | Cause, sentence: str, spent: Decimal, retry_at: int | None = None
    ) -> None:
        """Settle what it cost; the answer is told once that is on disk."""
        question, now = turn.question, self._now()
        del self._turns[question.id]
        cause = None if isinstance(outcome, Said) else outcome
        seconds = None if turn.asked_at is None else self._me.clock.monotonic() - turn.asked_at
        settled = questions.settle(question.id, spent, cause or "answered", seconds, now)
        about = question.reply_to.about
        answer = (
            Answered(about, question.id, outcome.text, outcome.value, spent, outcome.turns, turn.anew)
            if isinstance(outcome, Said)
            else Failed(about, question.id, outcome, sentence, spent, retry_at)
        )
        state = self._breaker.state
        after = rules.after(self._breaker, cause, now, retry_at, sentence, probe=turn.probe)
        statements = (settled, *self._become(after))
        changed = self._change() if after.state != state else None
        self._send(_Writing(statements, then=partial(question.reply_to.tell, answer), changed=changed))
        self._board.show(question, turn.heard, ended=True)

    def _estimate(self, turn: _Turn) -> Decimal:
        if turn.asked_at is None:
            return Decimal(0)
        spent = self._till.killed(turn.question, turn.heard, self._talks.history(turn.question))
        return min(spent, turn.dollars)

    # What a person says

    def _consent(self, consent: Consent) -> None:
        given = consents.insert(consent.model, consent.usd_per_round, self._now())
        self._send(_Writing((given,), then=partial(consent.reply_to.tell, Done())))

    def _reset(self, reset: Reset) -> None:
        statements = self._become(rules.reset())
        self._send(_Writing(statements, then=partial(reset.reply_to.tell, Done()), changed=self._change()))

    def _become(self, after: Breaker) -> tuple[Statement, ...]:
        """The breaker's next state, and what keeps it."""
        before, self._breaker = self._breaker, after
        row = after.state, after.failures, after.cause, after.sentence, after.retry_at
        return () if before == after else (breaker.insert(*row, self._now()),)

    def _closed(self) -> str:
        return f"Claude is not asked for now ({self._breaker.cause}): {self._breaker.sentence}"

    # The writer

    def _reserve(self, turn: _Turn) -> None:
        turn.money = "asked for"
        self._send(_Writing((self._till.reserve(turn.question, turn.dollars, self._now()),), turn))

    def _send(self, writing: _Writing) -> None:
        reply_to = self._me.reply_to(writing, of=self._writer, within=COMMIT_WITHIN)
        self._writer.tell(Write(writing.statements, reply_to))

    def _committed(self, writing: _Writing, rows: tuple[tuple[database.Row, ...], ...]) -> None:
        turn = writing.reserves
        if turn is not None and self._turns.get(turn.question.id) is turn:
            if rows[0]:
                turn.money = "reserved"
                self._go(turn)
            elif turn.talk is None:
                turn.money = "over a ceiling"
            else:
                self._fail(turn, Cause.BUDGET, self._till.over(turn.question, turn.dollars, self._now()))
        if writing.then is not None:
            writing.then()
        if writing.changed is not None:
            self._me.publish(writing.changed)

    def _unwritten(self, writing: _Writing, refused: Refused) -> None:
        if refused.code == "full":
            self._me.after(0.1, writing)
        elif writing.reserves is not None:
            self._fail(writing.reserves, Cause.BUDGET, f"its dollars cannot be reserved: {refused.sentence}")
        else:
            raise WriteLost(f"{refused.code}: {refused.sentence}")

    def _change(self) -> BreakerChanged:
        now = self._breaker
        return BreakerChanged(now.state, now.cause, now.sentence, now.retry_at)

    def _now(self) -> int:
        return self._me.clock.utc()
