"""A question on its way through the gateway."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, Literal

from actors.claude.sessions import Fault, Heard, Said
from actors.claude.talks import Talk
from messages.addresses import Refused, ReplyTo
from messages.claude import NO_TOKENS, Answered, Asking, Cause, Failed, Question, Tokens
from messages.correlation import TRACE, Trace
from storage.questions import Used

LONGEST: Final = 1_000_000
"""Characters of a prompt: far above any conversation's room, far below what would choke the program."""


@dataclass(slots=True, eq=False)
class Turn:
    """A question from when it came in until it is settled."""

    question: Question
    ends: ReplyTo[Said | Fault | Refused]
    """Where its program answers; it refuses when the deadline has passed, in the line too."""
    dollars: Decimal = Decimal(0)
    money: Literal["none", "asked for", "reserved"] = "none"
    talk: Talk | None = None
    anew: bool = False
    came_at: float = 0.0
    asked_at: float | None = None
    heard: Heard | None = None
    heard_at: float = 0.0
    heard_first: float | None = None
    tokens: Tokens = NO_TOKENS
    trace: Trace | None = field(default_factory=TRACE.get)

    def hear(self, heard: Heard, now: float) -> None:
        """It has said something, or more."""
        self.heard, self.heard_at = heard, now
        self.heard_first = now if self.heard_first is None else self.heard_first

    def answer(self, said: Said) -> Answered:
        """What its asker is told; what it took is noted."""
        self.tokens = said.tokens
        about, id_ = self.question.reply_to.about, self.question.id
        anew = self.anew and self.question.conversation is not None
        return Answered(about, id_, plain(said.text), said.value, said.cost, said.turns, anew)

    def fault(self, fault: Fault) -> tuple[Cause, str, Decimal | None, float | None]:
        """How its program has failed: the cause, a sentence, dollars and seconds to wait; what it took is noted."""
        self.tokens = fault.tokens
        return fault.cause, fault.sentence, fault.cost, fault.retry_in

    def failure(self, cause: Cause, sentence: str, spent: Decimal, retry_at: int | None) -> Failed:
        """What its asker is told where there is no answer."""
        return Failed(self.question.reply_to.about, self.question.id, cause, sentence, spent, retry_at)

    def used(self) -> Used:
        """What it took besides dollars and Claude's own time."""
        if self.asked_at is None:
            return Used(tokens=self.tokens)
        first = None if self.heard_first is None else self.heard_first - self.asked_at
        return Used(self.asked_at - self.came_at, first, self.tokens)

    def silent_in(self, asking: Asking, now: float) -> tuple[float, str]:
        """Seconds until it has been silent for too long, and what to say of it then."""
        limit = asking.silence if self.heard else asking.first_token_within
        what = "has said nothing more" if self.heard else "has not begun to answer"
        return self.heard_at + limit - now, f"Claude {what} for {limit:g} s"


def plain(text: str) -> str:
    """The text, with a question mark for each half of a character, which neither the database nor Claude can take."""
    return text.encode(errors="replace").decode()


def unfit(question: Question, now: float) -> tuple[Cause, str] | None:
    """Why a question is not even let into the line."""
    if question.deadline <= now:
        return Cause.DEADLINE, "its deadline had passed when it came in"
    if len(question.prompt) > LONGEST:
        return Cause.TOO_LONG, f"the prompt has more than {LONGEST} characters"
    if "\0" in question.prompt or not question.prompt.strip():
        return Cause.REFUSED, "the prompt is blank or has NUL characters"
    if question.prompt != plain(question.prompt):
        return Cause.REFUSED, "the prompt has halves of characters, which are no text"
    return None
