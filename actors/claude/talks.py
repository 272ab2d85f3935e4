"""The programs that are alive, each with its conversation: who may have which, and who has to go."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from actors.claude.sessions import Session, Sessions
from messages.claude import Prepare, Profile, Question

SHARED: Final = ""
"""The name of the conversation that is cleared before each question."""
SPARE: Final = "*"
"""The name of one that stands by, to become whichever is wanted next; no caller can spell it."""


class Phase(Enum):
    """Whether a program can be asked."""

    OPENING = "opening"
    CLEARING = "clearing"
    READY = "ready"


@dataclass(slots=True, eq=False)
class Talk:
    """A conversation and its program; `taken` by the question that has it or is about to, `used` on the clock."""

    profile: Profile
    name: str
    session: Session
    used: float
    phase: Phase = Phase.OPENING
    taken: Question | None = None
    account: str | None = None
    history: int = 0
    """Bytes of what was said in it."""
    waiting: list[Prepare] = field(default_factory=list[Prepare])


class Talks:
    """Keyed by the full options and the name, so that no caller gets another's prompt or tools."""

    def __init__(self, sessions: Sessions, most: int) -> None:
        self._sessions, self._most = sessions, most
        self._talks = dict[tuple[Profile, str], Talk]()

    def __iter__(self) -> Iterator[Talk]:
        return iter(tuple(self._talks.values()))

    def find(self, profile: Profile, name: str) -> Talk | None:
        """The conversation, or one that stands by and becomes it."""
        found = self._talks.get((profile, name))
        if found is None and (found := self._talks.pop((profile, SPARE), None)) is not None:
            found.name = name
            self._talks[profile, name] = found
        return found

    def history(self, question: Question) -> int:
        """Bytes of the talk that a question goes on."""
        talk = self._talks.get((question.profile, question.conversation or SHARED))
        return talk.history if talk is not None and talk.name != SHARED else 0

    def new(self, profile: Profile, name: str, now: float) -> Talk | None:
        """A new one, not opened yet; None where there is no room, since all others are in use."""
        if len(self._talks) >= self._most:
            idle = [talk for talk in self if talk.taken is None and not talk.waiting]
            if not idle or name == SPARE:
                return None
            self.drop(min(idle, key=lambda talk: (talk.name != SPARE, talk.used)))
        talk = self._talks[profile, name] = Talk(profile, name, self._sessions.new(profile), now)
        return talk

    def drop(self, talk: Talk) -> None:
        """End its program; what was said in it is lost."""
        if self._talks.get((talk.profile, talk.name)) is talk:
            del self._talks[talk.profile, talk.name]
        talk.session.kill()
