"""What the gateway needs of a Claude program: the edge that the real one and a test's fake keep alike."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from messages.addresses import Refused, ReplyTo
from messages.claude import NO_TOKENS, Cause, Profile, Tokens


@dataclass(frozen=True, slots=True)
class Opened:
    """The program has started; `account` says how it is signed in, None where it is not."""

    about: object
    account: str | None


@dataclass(frozen=True, slots=True)
class Heard:
    """What a turn has said so far, whole each time, so that one may be lost.

    `structured` is the beginning of the JSON text of its structured answer. `restarts` counts how often it has begun
    anew, after a cut or with the next request, and `streamed` all bytes that have come, those before a restart too.
    """

    turn: str
    text: str
    structured: str
    thinking: str
    restarts: int
    streamed: int


@dataclass(frozen=True, slots=True)
class Said:
    """A turn has come to its end with an answer."""

    about: object
    text: str
    value: str | None
    cost: Decimal
    turns: int
    tokens: Tokens = NO_TOKENS


@dataclass(frozen=True, slots=True)
class Fault:
    """A turn, a start or a clearing has failed, and why; `cost` is None where it was not reported."""

    about: object
    cause: Cause
    sentence: str
    cost: Decimal | None = None
    retry_in: float | None = None
    tokens: Tokens = NO_TOKENS


@dataclass(frozen=True, slots=True)
class Cleared:
    """The conversation is empty again."""

    about: object


class Session(Protocol):
    """One program with one conversation. Nothing here blocks or raises; what it has to say comes by return address.

    One thing at a time: the answer to the last must be there before the next. After a Fault only `kill` is left.
    """

    def open(self, reply_to: ReplyTo[Opened | Fault | Refused]) -> None:
        """Start the program."""
        ...

    def ask(
        self, turn: str, prompt: str, heard: Callable[[Heard], None], reply_to: ReplyTo[Said | Fault | Refused]
    ) -> None:
        """Ask; `heard` is called on the program's thread as the answer comes in."""
        ...

    def clear(self, reply_to: ReplyTo[Cleared | Fault | Refused]) -> None:
        """Empty the conversation."""
        ...

    def kill(self) -> None:
        """End the program now, whatever it does."""
        ...


class Sessions(Protocol):
    """Makes sessions, and knows of all that were made and not killed, whoever made them."""

    def new(self, profile: Profile) -> Session:
        """A session that is to be opened."""
        ...

    def reap(self) -> None:
        """Kill all there are."""
        ...

    def alive(self) -> Mapping[str, int]:
        """How many there are by kind: structured or prose; on anyone's thread."""
        ...


def kinds(profiles: Iterable[Profile]) -> dict[str, int]:
    """How many of them are for structured answers, and how many for prose."""
    structured = [profile.schema is not None for profile in profiles]
    return {"structured": sum(structured), "prose": len(structured) - sum(structured)}
