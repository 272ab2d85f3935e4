"""The gateway and the writer over a real file, with staged programs; changes of the breaker go to a probe."""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from actors.bus import Bus, Route
from actors.claude.gateway import ClaudeGateway, Message
from actors.claude.sessions import Fault, Heard
from actors.database import DatabaseWriter
from actors.kernel.me import Me
from actors.kernel.system import STOP_DESK
from actors.kernel.testing import Probe, TestSystem
from messages import database
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
    Look,
    Prepare,
    Prepared,
    Profile,
    Programs,
    Progress,
    Question,
    Reset,
    Watch,
)
from messages.database import Write
from messages.events import EVENTS
from messages.values import CorrelationId, Symbol
from storage import questions
from storage.connections import Operations, Reader
from storage.home import Home
from storage.questions import QuestionRow
from tests.sessions import Answer, StagedSession, StagedSessions, said

ROUND: Final = CorrelationId("c" * 32)
PROSE: Final = Profile("claude-sonnet-5", "Be brief.", None, (), 1_000, 1_000, 1)
OTHER: Final = Profile("claude-sonnet-5", "Be long.", None, (), 1_000, 1_000, 1)
PLENTY: Final = Decimal(1_000)
RICH: Final = Asking(
    max_usd_per_question=PLENTY, max_usd_per_round=PLENTY, max_usd_per_day=PLENTY, max_usd_per_month=PLENTY
)
"""Ceilings that are in nobody's way."""
NEVER: Final = Answer(None)
End = Answered | Failed | Refused


def fault(cause: Cause, cost: str | None = None, retry_in: float | None = None, after: float = 1.0) -> Answer:
    """A turn that fails so."""
    sentence = f"a test says {cause}"
    return Answer(Fault(None, cause, sentence, None if cost is None else Decimal(cost), retry_in), after)


def text(words: str, streamed: int = 0, structured: str = "", thinking: str = "", restarts: int = 0) -> Heard:
    """What is heard."""
    return Heard("", words, structured, thinking, restarts, streamed)


@dataclass
class Gateways:
    """A desk of the gateway alone. Abandoned without `stop` it was killed; `died` then makes another on its file."""

    home: Home
    asking: Asking = RICH
    seed: int = 0
    at: float = 0.0
    capacity: int = 1_000
    writer: Ref[database.Message] | None = None
    script: dict[str, Answer] = field(default_factory=dict[str, Answer])
    """How the turn of a prompt goes; a good answer after a second where it is not there."""
    system_type: type[TestSystem] = TestSystem

    def __post_init__(self) -> None:
        self.read, self.changes, self.asks = Reader(self.home.database), Probe[BreakerChanged]("changes"), 0
        self.database, self.claude = Ref[database.Message]("database"), Ref[Message]("claude")
        self.system = self.system_type(
            self.seed, publish=Bus(EVENTS, [Route(BreakerChanged, (self.changes.ref,))]).publish,
            flush=lambda settled: self.database.tell(Write((), settled)),
        )  # fmt: skip
        self.system.manual.manual.now = self.at
        self.sessions = StagedSessions(self.system.scheduler.later, self._answer)
        self.system.add(self.database, self._writer, STOP_DESK, capacity=self.capacity)
        self.system.add(self.claude, self._gateway)

    def _writer(self, me: Me[database.Message]) -> DatabaseWriter:
        self.keeper = DatabaseWriter(me, self.home, {}, Operations())
        return self.keeper

    def _gateway(self, me: Me[Message]) -> ClaudeGateway:
        writer = self.writer or self.database
        self.gateway = ClaudeGateway(me, self.claude, writer, self.sessions, self.asking, self.read)
        return self.gateway

    def _answer(self, profile: Profile, prompt: str) -> Answer:
        return self.script.get(prompt) or Answer(said(f"You said: {prompt}"))

    def start(self) -> "Gateways":
        """Start, and settle; a person has agreed to these settings."""
        self.system.start()
        self.system.settle()
        if self.writer is None:
            self.consent(str(self.asking.max_usd_per_round))
        return self

    def stop(self) -> None:
        """Stop both."""
        assert self.system.stop(grace=10) == []

    def died(self, asking: Asking | None = None) -> "Gateways":
        """This one was killed at this moment, and its programs with it; another is started a second later."""
        now = self.system.clock.monotonic() + 1.0
        return Gateways(self.home, asking or self.asking, self.seed, now, script=self.script).start()

    # What it is told

    def ask(
        self,
        prompt: str = "Why?",
        *,
        profile: Profile = PROSE,
        talk: str | None = None,
        id_: str | None = None,
        round_: CorrelationId = ROUND,
        within: float = 180.0,
        symbol: Symbol | None = None,
    ) -> Probe[End]:
        """Ask, and let whatever follows at once happen."""
        self.asks += 1
        id_ = id_ or f"q{self.asks}"
        probe, deadline = Probe[End](id_), self.system.clock.monotonic() + within
        self.claude.tell(
            Question(id_, profile, prompt, "question", round_, deadline, probe, symbol=symbol, conversation=talk)
        )
        self.system.settle()
        return probe

    def cancel(self, of: str) -> None:
        """Nobody wants it any more."""
        self.claude.tell(Cancel(of, "a test has enough of it"))
        self.system.settle()

    def watch(self, of: str, after: int = 0) -> Probe[Progress | Refused]:
        """Ask how far it is."""
        probe = Probe[Progress | Refused](f"watch {of}")
        self.claude.tell(Watch(of, after, probe))
        self.system.settle()
        return probe

    def prepare(self, profile: Profile = PROSE) -> Probe[Prepared | Failed | Refused]:
        """Have a program ready."""
        probe = Probe[Prepared | Failed | Refused]("prepare")
        self.claude.tell(Prepare(profile, probe))
        self.system.settle()
        return probe

    def reset(self) -> Probe[Done | Refused]:
        """A person closes the breaker."""
        probe = Probe[Done | Refused]("reset")
        self.claude.tell(Reset(probe))
        self.system.settle()
        return probe

    def consent(self, usd: str) -> Probe[Done | Refused]:
        """A person agrees."""
        probe = Probe[Done | Refused]("consent")
        self.claude.tell(Consent(PROSE.model, Decimal(usd), probe))
        self.system.settle()
        return probe

    def programs(self) -> Programs:
        """Those that are alive."""
        probe = Probe[Programs | Refused]("look")
        self.claude.tell(Look(probe))
        self.system.settle()
        [answer] = probe.received
        assert isinstance(answer, Programs)
        return answer

    def talks(self) -> dict[str, str]:
        """The states of the programs by the name of their conversation."""
        return {program.conversation: program.state for program in self.programs().programs}

    def crash(self, after: int = 0) -> None:
        """Have the gateway crash; it is rebuilt a tenth of a second later."""
        self.system.crash(self.claude, after=after)
        self.system.settle()

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.system.advance(seconds)

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Have something happen then."""
        self.system.scheduler.later(seconds, action)

    # What has come of it

    @property
    def prompts(self) -> list[str]:
        """What was asked, in order."""
        return [talk[-1] for _, talk in self.sessions.asked]

    @property
    def living(self) -> list[StagedSession]:
        """The programs that are alive, oldest first."""
        return [session for session in self.sessions.made if session.alive]

    def rows(self, round_: CorrelationId = ROUND) -> dict[str, QuestionRow]:
        """The questions as they are on disk."""
        return {row.id: row for row in questions.of_round(self.read, round_)}

    def spent(self) -> Decimal:
        """Dollars that count as spent today."""
        return questions.spent(self.read, self.system.clock.utc(), ROUND).day


def end(probe: Probe[Any]) -> Any:
    """The one end of what was asked."""
    [answer] = probe.received
    return answer


def answered(probe: Probe[End]) -> Answered:
    """Its answer."""
    answer = end(probe)
    assert isinstance(answer, Answered), answer
    return answer


def failed(probe: Probe[End]) -> Failed:
    """Why there is no answer."""
    answer = end(probe)
    assert isinstance(answer, Failed), answer
    return answer


def refused(probe: Probe[Any]) -> Refused:
    """Why it was refused."""
    answer = end(probe)
    assert isinstance(answer, Refused), answer
    return answer
