"""What Claude's gateway is asked, and what it answers."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final, Literal

from messages.addresses import Refused, ReplyTo
from messages.database import Committed
from messages.values import CorrelationId, Symbol

Purpose = Literal["recommendation", "question", "chat"]


class Cause(StrEnum):
    """Why there is no answer. Nothing else leaves the gateway."""

    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    SERVER = "server"
    NETWORK = "network"
    TIMEOUT = "timeout"
    CRASH = "crash"
    AUTHENTICATION = "authentication"
    BILLING = "billing"
    MODEL = "model"
    REFUSED = "refused"
    TOO_LONG = "too_long"
    CONVERSATION_FULL = "conversation_full"
    TURN_LIMIT = "turn_limit"
    BUDGET = "budget"
    NO_STRUCTURED_ANSWER = "no_structured_answer"
    CANCELLED = "cancelled"
    DEADLINE = "deadline"
    CIRCUIT_OPEN = "circuit_open"


@dataclass(frozen=True, slots=True)
class Asking:
    """How Claude is asked. Times are in seconds; `thinking` and `output` are tokens at most, for each request.

    `answer_within` covers all of a question, the waiting too; `silence` is without content; `idle` until an unused
    program is ended. `max_clients` programs are alive at most, `side_by_side` questions under way.
    """

    model: str = "claude-sonnet-5"
    max_usd_per_question: Decimal = Decimal("0.50")
    max_usd_per_round: Decimal = Decimal("1.00")
    max_usd_per_day: Decimal = Decimal("5.00")
    max_usd_per_month: Decimal = Decimal("50.00")
    answer_within: float = 180.0
    first_token_within: float = 60.0
    silence: float = 30.0
    connect_within: float = 30.0
    max_clients: int = 3
    side_by_side: int = 1
    idle: float = 600.0
    standby: bool = False
    thinking: int = 4000
    output: int = 4000


@dataclass(frozen=True, slots=True)
class Profile:
    """The full options of a conversation: two callers share one only where all of this is the same.

    `schema` is a JSON schema as text, None for prose. `tools` names the desk's read-only tools that may be called.
    `thinking` and `output` are tokens at most, 0 turns thinking off; `turns` is requests at most for one question.
    `usd` stops the program itself once a conversation has cost so much; it loses an answer, and may overshoot.
    """

    model: str
    system: str
    schema: str | None
    tools: tuple[str, ...]
    thinking: int
    output: int
    turns: int
    usd: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """Ask this once. `deadline` is on the kernel's monotonic clock, and covers the waiting too.

    `conversation` names a talk that is to be kept; without, the question stands in a conversation that was cleared.
    """

    id: str
    profile: Profile
    prompt: str
    purpose: Purpose
    correlation_id: CorrelationId
    deadline: float
    reply_to: ReplyTo["Answered | Failed | Refused"]
    symbol: Symbol | None = None
    conversation: str | None = None


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a question took of them; what was written to and read from Claude's cache is not in `input`."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0


NO_TOKENS: Final = Tokens()


@dataclass(frozen=True, slots=True)
class Answered:
    """Claude's answer, not checked against anything yet; `value` is the structured one, as JSON text.

    `anew` is true where the question named a conversation whose earlier talk is lost.
    """

    about: object
    question: str
    text: str
    value: str | None
    cost: Decimal
    turns: int
    anew: bool


@dataclass(frozen=True, slots=True)
class Failed:
    """There is no answer, and why; `cost` in dollars was spent all the same. `retry_at` is UTC in microseconds."""

    about: object
    question: str
    cause: Cause
    sentence: str
    cost: Decimal
    retry_at: int | None = None


@dataclass(frozen=True, slots=True)
class Cancel:
    """Nobody wants the answer any more: of the question of this id, or of all of this correlation id."""

    of: str
    why: str


@dataclass(frozen=True, slots=True)
class Watch:
    """Tell how far it is as soon as that is further than `after`; of a question's id or a correlation id."""

    of: str
    after: int
    reply_to: ReplyTo["Progress | Refused"]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a question is. Provisional: after a cut Claude starts over, and only the answer counts.

    `values` are the fields of a structured answer that are complete, each as JSON text. `number` grows.
    """

    about: object
    question: str
    correlation_id: CorrelationId
    symbol: Symbol | None
    number: int
    text: str
    thinking: str
    values: tuple[tuple[str, str], ...]
    ended: bool


@dataclass(frozen=True, slots=True)
class Prepare:
    """Have a program ready for questions of this profile, and say whether it could be asked."""

    profile: Profile
    reply_to: ReplyTo["Prepared | Failed | Refused"]


@dataclass(frozen=True, slots=True)
class Prepared:
    """It can be asked; `account` says who is signed in, and how."""

    about: object
    account: str


@dataclass(frozen=True, slots=True)
class Consent:
    """A person agrees that this model is asked, for up to so many dollars a round."""

    model: str
    usd_per_round: Decimal
    reply_to: ReplyTo["Done | Refused"]


@dataclass(frozen=True, slots=True)
class Reset:
    """Close the breaker: a person has mended what was wrong."""

    reply_to: ReplyTo["Done | Refused"]


@dataclass(frozen=True, slots=True)
class Look:
    """Say which programs are alive."""

    reply_to: ReplyTo["Programs | Refused"]


@dataclass(frozen=True, slots=True)
class Program:
    """A program and its conversation: shared, spare, or named; how often it was asked, and seconds since then."""

    conversation: str
    model: str
    state: Literal["opening", "clearing", "ready", "busy"]
    asked: int
    unused: float


@dataclass(frozen=True, slots=True)
class Programs:
    """Those that are alive, and how many questions wait or are under way."""

    about: object
    programs: tuple[Program, ...]
    questions: int


@dataclass(frozen=True, slots=True)
class Done:
    """It is on disk."""


@dataclass(frozen=True, slots=True)
class BreakerChanged:
    """The breaker has gone from one state to another; on disk by now."""

    state: Literal["closed", "open", "half_open"]
    cause: str
    sentence: str
    retry_at: int | None


Message = Question | Cancel | Watch | Prepare | Look | Consent | Reset | Committed | Refused
