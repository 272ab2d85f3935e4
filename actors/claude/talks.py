"""The programs that are alive, each with its conversation: who may have which, and who has to go."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from itertools import count
from typing import Any, Final

from actors.claude.sessions import Session, Sessions
from actors.domain.cost import BYTES_PER_TOKEN
from actors.kernel.me import Me
from messages.addresses import Ref, ReplyTo
from messages.claude import Asking, Cause, Failed, Prepare, Prepared, Profile, Program, Question

SHARED: Final = ""
"""The name of the conversation that is cleared before each question."""
SPARE: Final = "*"
"""The name of one that stands by, to become whichever is wanted next."""
PROGRAM: Final = Ref[Any]("the Claude program")
"""Not an actor, but what is waited for has a name."""
CLEAR_WITHIN: Final = 10.0
"""Seconds; clearing takes .04 to .17."""
NOT_SIGNED_IN: Final = "nobody is signed in: sign in with `claude`, or set ANTHROPIC_API_KEY"


class Phase(Enum):
    """Whether a program can be asked."""

    OPENING = "opening"
    CLEARING = "clearing"
    READY = "ready"


@dataclass(slots=True, eq=False)
class Talk:
    """A conversation and its program; `taken` by the question that has it or is about to, `used` on the clock."""

    number: int
    profile: Profile
    name: str
    session: Session
    used: float
    phase: Phase = Phase.OPENING
    taken: Question | None = None
    account: str | None = None
    asked: int = 0
    history: int = 0
    """Bytes of what was said in it."""
    waiting: list[Prepare] = field(default_factory=list[Prepare])


@dataclass(frozen=True, slots=True)
class Idle:
    """Look whether this program was used since then; one that has ended is not kept in memory for the look."""

    number: int
    used: float


class Talks:
    """Keyed by the full options and the name, so that no caller gets another's prompt or tools.

    What a program has to say goes to the gateway as an answer about its Talk.
    """

    def __init__(self, me: Me[Any], sessions: Sessions, asking: Asking) -> None:
        self._me, self._sessions, self._asking = me, sessions, asking
        self._now = me.clock.monotonic
        self._talks, self._numbers = dict[tuple[Profile, str], Talk](), count()

    def __contains__(self, talk: Talk) -> bool:
        return self._talks.get((talk.profile, talk.name)) is talk

    def __iter__(self) -> Iterator[Program]:
        for talk in self._talks.values():
            name = {SHARED: "shared", SPARE: "spare"}.get(talk.name, talk.name[1:])
            busy = talk.phase is Phase.READY and talk.taken is not None
            yield Program(
                name, talk.profile.model, "busy" if busy else talk.phase.value, talk.asked, self._now() - talk.used
            )

    def history(self, question: Question, before: Iterable[Question] = ()) -> int:
        """Bytes of the talk that a question goes on, and that those waiting before it will add at most."""
        key = question.profile, _name(question)
        if key[1] == SHARED:
            return 0
        said = sum(
            len(each.prompt.encode()) + BYTES_PER_TOKEN * each.profile.output
            for each in before
            if (each.profile, _name(each)) == key
        )
        return said + (self._talks[key].history if key in self._talks else 0)

    def take(self, question: Question) -> Talk | None:
        """The conversation of a question; None while another has it, or there is no room.

        What stands by becomes whatever is wanted first.
        """
        profile, name = question.profile, _name(question)
        talk = self._talks.get((profile, name)) or self._adopt(profile, name) or self._open(profile, name)
        if talk is None or talk.taken is not None:
            return None
        talk.taken = question
        return talk

    def give_back(self, talk: Talk, *, asked: bool) -> None:
        """Its question has ended without an answer. A program that was asked, or that cannot be, is of no more use."""
        talk.taken = None
        if asked or (talk.account is None and talk.phase is Phase.READY):
            self.drop(talk)
        elif talk.phase is Phase.READY:
            self.ready(talk)

    def ask(self, talk: Talk, here: Ref[Any], reply_to: ReplyTo[Any]) -> None:
        """Have it ask what it was taken for."""
        assert talk.taken is not None
        talk.asked += 1
        talk.session.ask(talk.taken.id, talk.taken.prompt, here.tell, reply_to)

    def release(self, talk: Talk, *said: str) -> None:
        """It was asked, this was said, and it can be asked again."""
        talk.taken, talk.used = None, self._now()
        talk.history += sum(len(text.encode(errors="replace")) for text in said)
        if talk.name == SHARED:
            talk.phase = Phase.CLEARING
            talk.session.clear(self._me.reply_to(talk, of=PROGRAM, within=CLEAR_WITHIN))
        else:
            self.ready(talk)
        if self._asking.standby and (talk.profile, SPARE) not in self._talks:
            self._open(talk.profile, SPARE)

    def opened(self, talk: Talk, account: str | None) -> None:
        """Its program has started; one that nobody is signed in to is of no use."""
        if talk not in self:
            return
        talk.account = account
        waiting, talk.waiting = talk.waiting, []
        for prepare in waiting:
            self._prepared(prepare, account)
        if account is None and talk.taken is None:
            self.drop(talk)
        else:
            self.ready(talk)

    def ready(self, talk: Talk) -> None:
        """It can be asked; unused it is ended after a while."""
        if talk not in self:
            return
        talk.phase = Phase.READY
        if talk.taken is None:
            self._me.after(self._asking.idle, Idle(talk.number, talk.used))

    def idle(self, idle: Idle) -> None:
        """End a program that was not used for long."""
        for talk in tuple(self._talks.values()):
            if (talk.number, talk.used, talk.taken) == (idle.number, idle.used, None):
                self.drop(talk)

    def drop(self, talk: Talk) -> None:
        """End its program; what was said in it is lost."""
        if talk in self:
            del self._talks[talk.profile, talk.name]
        talk.session.kill()

    def lost(self, talk: Talk, cause: Cause, sentence: str) -> None:
        """It has not started, or not cleared."""
        for prepare in talk.waiting:
            prepare.reply_to.tell(Failed(prepare.reply_to.about, "", cause, sentence, Decimal(0)))
        self.drop(talk)

    def prepare(self, prepare: Prepare) -> None:
        """Have the shared conversation of a profile ready, and tell who is signed in."""
        talk = self._talks.get((prepare.profile, SHARED)) or self._adopt(prepare.profile, SHARED)
        talk = talk or self._open(prepare.profile, SHARED)
        if talk is None:
            prepare.reply_to.tell(Prepared(prepare.reply_to.about, "in use by others"))
        elif talk.phase is Phase.OPENING:
            talk.waiting.append(prepare)
        else:
            self._prepared(prepare, talk.account)

    def _prepared(self, prepare: Prepare, account: str | None) -> None:
        reply_to = prepare.reply_to
        if account is None:
            reply_to.tell(Failed(reply_to.about, "", Cause.AUTHENTICATION, NOT_SIGNED_IN, Decimal(0)))
        else:
            reply_to.tell(Prepared(reply_to.about, account))

    def _adopt(self, profile: Profile, name: str) -> Talk | None:
        if (spare := self._talks.pop((profile, SPARE), None)) is not None:
            spare.name, spare.used = name, self._now()
            self._talks[profile, name] = spare
            if spare.phase is Phase.READY:
                self.ready(spare)  # to be ended after a while from now on
        return spare

    def _open(self, profile: Profile, name: str) -> Talk | None:
        """A new one; for a spare nobody has to go, for another the least recently used."""
        if len(self._talks) >= self._asking.max_clients:
            unused = [talk for talk in self._talks.values() if talk.taken is None and not talk.waiting]
            if not unused or name == SPARE:
                return None
            self.drop(min(unused, key=lambda talk: (talk.name != SPARE, talk.used)))
        talk = self._talks[profile, name] = Talk(
            next(self._numbers), profile, name, self._sessions.new(profile), self._now()
        )
        talk.session.open(self._me.reply_to(talk, of=PROGRAM, within=self._asking.connect_within))
        return talk


def _name(question: Question) -> str:
    """No caller can spell the names that are not conversations of their own."""
    return SHARED if question.conversation is None else f"+{question.conversation}"
