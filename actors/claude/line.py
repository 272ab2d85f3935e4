"""A question on its way through the gateway."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, Literal

from actors.claude.sessions import Fault, Heard, Said
from actors.claude.talks import Talk
from messages.addresses import Refused, ReplyTo
from messages.claude import Answered, Asking, Cause, Failed, Question
from messages.correlation import TRACE, Trace

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
    asked_at: float | None = None
    heard: Heard | None = None
    heard_at: float = 0.0
    trace: Trace | None = field(default_factory=TRACE.get)

    def answer(self, said: Said) -> Answered:
        """What its asker is told."""
        about, id_ = self.question.reply_to.about, self.question.id
        anew = self.anew and self.question.conversation is not None
        return Answered(about, id_, plain(said.text), said.value, said.cost, said.turns, anew)

    def failure(self, cause: Cause, sentence: str, spent: Decimal, retry_at: int | None) -> Failed:
        """What its asker is told where there is no answer."""
        return Failed(self.question.reply_to.about, self.question.id, cause, sentence, spent, retry_at)

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
