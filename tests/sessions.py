"""Claude's programs as a test wants them: on the test's own thread and clock, badly behaved on request."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from actors.claude.sessions import Cleared, Fault, Heard, Opened, Said, kinds
from messages.addresses import Refused, ReplyTo
from messages.claude import Profile
from tests.stub.analyst import parsed, view

Later = Callable[[float, Callable[[], None]], object]


@dataclass(frozen=True)
class Answer:
    """How one turn goes: what is heard and when, in seconds from its start, and its end; None hangs for ever.

    The end's `about` is filled in.
    """

    ends: Said | Fault | None
    after: float = 1.0
    heard: tuple[tuple[float, Heard], ...] = ()


def said(text: str = "", value: str | None = None, cost: str = "0.01") -> Said:
    return Said(None, text, value, Decimal(cost), 1)


def analyst(profile: Profile, prompt: str) -> Answer:
    """A good answer, after a second, of which the first half is heard after half of it."""
    value = json.dumps(view(parsed(prompt))) if profile.schema else None
    text = "" if value else f"You said: {prompt[:40]}"
    half = Heard("", text[: len(text) // 2], (value or "")[: len(value or "") // 2], "", 0, 100)
    return Answer(said(text, value), heard=((0.5, half),))


class StagedSession:
    """One program. It notices what nobody may do to it."""

    def __init__(self, sessions: "StagedSessions", profile: Profile) -> None:
        self.sessions, self.profile = sessions, profile
        self.talk, self.alive, self.opened, self.busy = list[str](), True, False, False
        self.asked = list[tuple[str, tuple[str, ...]]]()

    def open(self, reply_to: ReplyTo[Opened | Fault | Refused]) -> None:
        assert self.alive
        assert not self.opened
        self.opened = self.busy = True
        outcome = self.sessions.opens()
        if outcome is not None:
            self._later(0.4, lambda: self._tell(reply_to, outcome))

    def ask(
        self, turn: str, prompt: str, heard: Callable[[Heard], None], reply_to: ReplyTo[Said | Fault | Refused]
    ) -> None:
        assert self.alive
        assert self.opened
        assert not self.busy
        self.busy = True
        self.talk.append(prompt)
        self.asked.append((turn, tuple(self.talk)))
        self.sessions.asked.append((turn, tuple(self.talk)))
        answer = self.sessions.answers(self.profile, prompt)
        for at, part in answer.heard:
            told = Heard(turn, part.text, part.structured, part.thinking, part.restarts, part.streamed)
            self._later(at, lambda told=told: heard(told))  # type: ignore[misc]
        if answer.ends is not None:
            ends = answer.ends
            self._later(answer.after, lambda: self._tell(reply_to, ends))

    def clear(self, reply_to: ReplyTo[Cleared | Fault | Refused]) -> None:
        assert self.alive
        assert not self.busy
        self.busy = True
        self.talk.clear()
        outcome = self.sessions.clears()
        if outcome is not None:
            self._later(0.05, lambda: self._tell(reply_to, outcome))

    def kill(self) -> None:
        self.alive = False
        self.sessions.living.discard(self)

    def _later(self, seconds: float, action: Callable[[], None]) -> None:
        def act() -> None:
            if self.alive or self.sessions.haunting:
                action()

        self.sessions.later(seconds, act)

    def _tell(self, reply_to: ReplyTo[Any], outcome: Opened | Cleared | Said | Fault) -> None:
        self.busy = isinstance(outcome, Fault)
        self.sessions.before()
        for _ in range(2 if self.sessions.haunting else 1):
            reply_to.tell(replace(outcome, about=reply_to.about))


class StagedSessions:
    """Makes staged programs. `answers`, `opens` and `clears` say how each turn, start and clearing goes.

    While they are `haunting` they say everything twice, and go on after they were killed. `before` happens at the
    moment at which one of them has something to say.
    """

    def __init__(self, later: Later, answers: Callable[[Profile, str], Answer] = analyst) -> None:
        self.later, self.answers = later, answers
        self.opens: Callable[[], Opened | Fault | None] = lambda: Opened(None, "a test")
        self.clears: Callable[[], Cleared | Fault | None] = lambda: Cleared(None)
        self.before: Callable[[], None] = lambda: None
        self.living, self.made = set[StagedSession](), list[StagedSession]()
        self.asked, self.haunting = list[tuple[str, tuple[str, ...]]](), False

    def new(self, profile: Profile) -> StagedSession:
        session = StagedSession(self, profile)
        self.living.add(session)
        self.made.append(session)
        return session

    def alive(self) -> dict[str, int]:
        return kinds(session.profile for session in self.living)

    def reap(self) -> None:
        for session in tuple(self.living):
            session.kill()
