"""The gateway: owns every conversation with Claude, and every dollar that is spent on one."""

from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import assert_never

from actors.claude.board import Board
from actors.claude.books import Again, Books, Fuse, Rows, Writing
from actors.claude.line import Turn, plain, unfit
from actors.claude.sessions import Cleared, Fault, Heard, Opened, Said, Sessions
from actors.claude.talks import NOT_SIGNED_IN, PROGRAM, Idle, Phase, Talk, Talks
from actors.claude.till import Till
from actors.kernel.me import Me
from messages import claude, database
from messages.addresses import Ref, Refused, ReplyTo
from messages.claude import (
    Answered,
    Asking,
    Cancel,
    Cause,
    Consent,
    Done,
    Failed,
    Look,
    Prepare,
    Programs,
    Question,
    Reset,
    Watch,
)
from messages.correlation import within
from messages.database import Committed
from storage import consents, questions
from storage.connections import Reader
from storage.model_prices import UnknownPrice


@dataclass(frozen=True, slots=True)
class _Silence:
    """Look whether a question's answer has `begun`, or gone on."""

    question: str
    begun: bool


Message = claude.Message | Heard | Opened | Cleared | Said | Fault | Again | _Silence | Idle


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
        self._me, self._here, self._sessions, self._asking, self._read = me, here, sessions, asking, read
        self._talks, self._till, self._board = Talks(me, sessions, asking), Till(asking, read), Board(me.clock)
        self._books = Books(me, writer)
        self._fuse = Fuse(me, read, self._books)
        self._turns = dict[str, Turn]()  # in the order in which they came

    def on_start(self) -> None:
        """Kill what a predecessor has left, and charge what was under way when the desk was killed."""
        self._sessions.reap()
        if questions.left(self._read):
            self._books.write((questions.settle_left(self._me.clock.utc()),))

    def on_stop(self) -> None:
        """Nothing may outlive this incarnation; what it has asked is charged by estimate."""
        self._sessions.reap()
        for turn in self._turns.values():
            now, spent = self._me.clock.utc(), self._estimate(turn)
            settled = questions.settle(turn.question, spent, Cause.CANCELLED, None, now)
            self._books.write((settled,))
        self._books.send_waiting()  # nobody will be there for a reply

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
            case Look(reply_to):
                reply_to.tell(Programs(reply_to.about, tuple(self._talks), len(self._turns)))
            case Consent():
                self._consent(message)
            case Reset(reply_to):
                self._fuse.reset(lambda rows: reply_to.tell(Done()))
            case Opened(Talk() as talk):
                self._talks.opened(talk, message.account)
                self._on(talk)
            case Cleared(Talk() as talk):
                self._talks.ready(talk)
                self._on(talk)
            case Heard():
                self._hear(message)
            case Said(Turn() as turn):
                self._said(turn, message)
            case Fault(Turn() as turn):
                self._fail(turn, *turn.fault(message))
            case Fault(Talk() as talk):
                self._lost(talk, message.cause, message.sentence)
            case Refused(Talk() as talk):
                self._lost(talk, Cause.TIMEOUT, message.sentence)
            case Refused(Turn() as turn):
                self._fail(turn, Cause.DEADLINE, f"it was not answered within its time; {message.sentence}")
            case Committed(Writing() as writing, rows):
                self._books.committed(writing, rows)
            case Refused(Writing() as writing):
                self._books.refused(writing, message)
            case Again():
                self._books.send_waiting()
            case _Silence():
                self._listen(self._turns.get(message.question), message)
            case Idle():
                self._talks.idle(message)
            case Opened() | Cleared() | Said() | Fault() | Committed() | Refused():
                raise TypeError(f"an answer about {message.about!r}, which was never asked")
            case _:
                assert_never(message)

    # The line

    def _accept(self, question: Question) -> None:
        if question.id in self._turns:
            raise ValueError(f"question {question.id} came twice")
        now = self._me.clock.monotonic()
        turn = self._turns[question.id] = Turn(question, ReplyTo(None), came_at=now)
        turn.ends = self._me.reply_to(turn, of=PROGRAM, within=max(question.deadline - now, 0.0))
        if (fault := unfit(question, now)) is not None:
            self._fail(turn, *fault)
            return
        try:
            before = (each.question for each in self._turns.values() if each is not turn)
            turn.dollars = self._till.estimate(question, self._talks.history(question, before))
        except UnknownPrice as error:
            self._fail(turn, Cause.BUDGET, str(error))
            return
        self._next()

    def _next(self) -> None:
        """Begin what may begin, in the order in which it came; of one conversation one at a time."""
        for turn in tuple(self._turns.values()):
            if sum(each.talk is not None for each in self._turns.values()) >= self._asking.side_by_side:
                return
            if turn.talk is None and turn is self._turns.get(turn.question.id):
                self._begin(turn)

    def _begin(self, turn: Turn) -> None:
        admission = self._fuse.admits(turn)
        if admission.verdict == "refused":
            failed = turn.failure(Cause.CIRCUIT_OPEN, self._fuse.sentence, Decimal(0), admission.retry_at)
            self._end(turn, Cause.CIRCUIT_OPEN, failed, Decimal(0))
            return
        with within(turn.trace):  # what is at hand is the end of another
            turn.talk = self._talks.take(turn.question)
            if turn.talk is not None and admission.verdict == "probe":
                self._fuse.probe(turn)
        self._go(turn)

    def _go(self, turn: Turn) -> None:
        """Reserve the dollars once there is a program, while that is cleared; ask when both are done."""
        if (talk := turn.talk) is None or talk.phase is Phase.OPENING or turn.asked_at is not None:
            return
        if talk.account is None:
            self._fail(turn, Cause.AUTHENTICATION, NOT_SIGNED_IN)
            return
        with within(turn.trace):
            if turn.money == "none":
                self._reserve(turn)
            if turn.money == "reserved" and talk.phase is Phase.READY:
                self._ask(turn, talk)

    def _ask(self, turn: Turn, talk: Talk) -> None:
        turn.asked_at = turn.heard_at = self._me.clock.monotonic()
        turn.anew = not talk.asked
        self._talks.ask(talk, self._here, turn.ends)
        self._me.after(self._asking.first_token_within, _Silence(turn.question.id, begun=False))
        self._board.show(turn.question, None)

    def _cancel(self, cancel: Cancel) -> None:
        for turn in sorted(self._turns.values(), key=lambda turn: turn.talk is not None):  # or one would begin another
            if cancel.of in (turn.question.id, turn.question.correlation_id):
                spent = self._estimate(turn)
                saved = f"{spent:.4f} $ are charged, up to {turn.dollars - spent:.4f} $ saved"
                self._fail(turn, Cause.CANCELLED, f"{cancel.why}; {saved}", spent)

    # Programs

    def _prepare(self, prepare: Prepare) -> None:
        reply_to, admission = prepare.reply_to, self._fuse.admits()
        if admission.verdict == "refused":
            cause, sentence = Cause.CIRCUIT_OPEN, self._fuse.sentence
            reply_to.tell(Failed(reply_to.about, "", cause, sentence, Decimal(0), admission.retry_at))
        elif (closed := self._till.closed(prepare.profile, self._me.clock.utc())) is not None:
            reply_to.tell(Failed(reply_to.about, "", Cause.BUDGET, closed, Decimal(0)))
        else:
            self._talks.prepare(prepare)

    def _on(self, talk: Talk) -> None:
        """It is ready for the question that has taken it, or for another."""
        if talk.taken is not None:
            self._go(self._turns[talk.taken.id])
        self._next()

    def _lost(self, talk: Talk, cause: Cause, sentence: str) -> None:
        """It has not started: that was the question's turn. It has not cleared: the question takes another."""
        if talk not in self._talks:
            return
        self._talks.lost(talk, cause, sentence)
        turn, talk.taken = None if talk.taken is None else self._turns[talk.taken.id], None
        if turn is not None and talk.phase is Phase.OPENING:
            self._fail(turn, cause, sentence)
        elif turn is not None:
            turn.talk = None
        self._next()

    # What is heard

    def _hear(self, heard: Heard) -> None:
        if (turn := self._turns.get(heard.turn)) is not None:
            if turn.heard is None:
                self._me.after(self._asking.silence, _Silence(heard.turn, begun=True))
            turn.hear(heard, self._me.clock.monotonic())
            self._board.show(turn.question, heard)

    def _listen(self, turn: Turn | None, silence: _Silence) -> None:
        if turn is not None and silence.begun == (turn.heard is not None):
            left, sentence = turn.silent_in(self._asking, self._me.clock.monotonic())
            if left > 0:
                self._me.after(left, silence)
            else:
                self._fail(turn, Cause.TIMEOUT, sentence)

    # Ends

    def _said(self, turn: Turn, said: Said) -> None:
        if turn is not self._turns.get(turn.question.id):  # it was cancelled while this was on its way
            return
        self._end(turn, None, turn.answer(said), said.cost)
        if turn.talk is not None:
            self._talks.release(turn.talk, turn.question.prompt, said.text, said.value or "")
        self._next()

    def _fail(
        self, turn: Turn, cause: Cause, sentence: str, spent: Decimal | None = None, retry_in: float | None = None
    ) -> None:
        """End a turn without an answer, unless it has ended."""
        if turn is not self._turns.get(turn.question.id):
            return
        retry_at = None if retry_in is None else self._me.clock.utc() + round(retry_in * 1e6)
        spent = self._estimate(turn) if spent is None else spent
        self._end(turn, cause, turn.failure(cause, plain(sentence), spent, retry_at), spent)
        if turn.talk is not None:
            self._talks.give_back(turn.talk, asked=turn.asked_at is not None)
        self._next()

    def _end(self, turn: Turn, cause: Cause | None, answer: Answered | Failed, spent: Decimal) -> None:
        """Settle what it cost; the answer is told once that is on disk."""
        question, now = turn.question, self._me.clock.monotonic()
        turn.ends.told = True  # whatever its program or its deadline has to say now, it has ended
        del self._turns[question.id]
        seconds = None if turn.asked_at is None else now - turn.asked_at
        settled = questions.settle(question, spent, cause or "answered", seconds, self._me.clock.utc(), turn.used())
        with within(turn.trace):  # a clock may have ended it, or a person
            self._fuse.after(turn, cause, answer, settled, lambda rows: question.reply_to.tell(answer))
        self._board.show(question, turn.heard, ended=True)

    def _estimate(self, turn: Turn) -> Decimal:
        if turn.asked_at is None:
            return Decimal(0)
        return min(self._till.killed(turn.question, turn.heard, self._talks.history(turn.question)), turn.dollars)

    # Dollars, and what a person says

    def _reserve(self, turn: Turn) -> None:
        turn.money = "asked for"
        statement = self._till.reserve(turn.question, turn.dollars, self._me.clock.utc())
        self._books.write((statement,), partial(self._reserved, turn))

    def _reserved(self, turn: Turn, rows: Rows) -> None:
        if turn is not self._turns.get(turn.question.id):
            return
        if rows[0]:
            turn.money = "reserved"
            self._go(turn)
        else:
            self._fail(turn, Cause.BUDGET, self._till.over(turn.question, turn.dollars, self._me.clock.utc()))

    def _consent(self, consent: Consent) -> None:
        given = consents.insert(consent.model, consent.usd_per_round, self._me.clock.utc())
        self._books.write((given,), lambda rows: consent.reply_to.tell(Done()))
