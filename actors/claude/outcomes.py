"""What the program said at the end of a turn, told apart: an answer, or one of a closed set of causes.

Failures do not raise: an API error arrives as a success with prose in it. What each fault looks like was measured on
the bundled program against a stub, see docs/claude.md.
"""

import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, cast

from actors.claude.sessions import Fault, Said
from messages.claude import Cause, Tokens

if TYPE_CHECKING:
    from claude_agent_sdk import ResultMessage

BY_ERROR: Final = {
    "authentication_failed": Cause.AUTHENTICATION,
    "oauth_org_not_allowed": Cause.AUTHENTICATION,
    "billing_error": Cause.BILLING,
    "model_not_found": Cause.MODEL,
    "rate_limit": Cause.RATE_LIMITED,
    "max_output_tokens": Cause.TURN_LIMIT,
}
BY_REASON: Final = {
    "prompt_too_long": Cause.TOO_LONG,
    "image_error": Cause.TOO_LONG,
    "blocking_limit": Cause.TOO_LONG,
    "budget_exhausted": Cause.BUDGET,
    "structured_output_retry_exhausted": Cause.NO_STRUCTURED_ANSWER,
    "max_turns": Cause.TURN_LIMIT,
}
OVERLOADED: Final = 529


@dataclass(slots=True)
class Turn:
    """What is known of a turn besides its result.

    `structured`: a structured answer was asked for. `follows`: there was talk before it in its conversation.
    `error` is that of an answer the program has made up. `said` are the pieces of text since the last look-up: a long
    answer comes in several, of which the result has only the last. `wait` is the seconds a 429 told it to wait.
    """

    structured: bool
    follows: bool
    error: str | None = None
    said: list[str] = field(default_factory=list[str])
    wait: float | None = None


def read(about: object, result: "ResultMessage", turn: Turn, cost: Decimal) -> Said | Fault:
    """An answer, or why there is none. The order counts: a refusal, say, looks like an error of the API too."""
    cause = _cause(result, turn)
    if cause is Cause.TURN_LIMIT and turn.structured:
        cause = Cause.NO_STRUCTURED_ANSWER  # its turns were used up by answers that did not fit
    if cause is Cause.TOO_LONG and turn.follows:
        cause = Cause.CONVERSATION_FULL
    said = " ".join((result.result or "; ".join(result.errors or ()) or result.subtype).split())[:300]
    tokens = used(result.usage or {})
    if cause is not None:
        return Fault(about, cause, said, cost, turn.wait, tokens)
    if turn.structured and result.structured_output is None:
        return Fault(about, Cause.NO_STRUCTURED_ANSWER, f"Claude answered in prose: {said}", cost, tokens=tokens)
    value = json.dumps(result.structured_output) if turn.structured else None
    return Said(about, "".join(turn.said) or result.result or "", value, cost, result.num_turns, tokens)


def used(usage: dict[str, Any]) -> Tokens:
    """What the program reports of tokens, of all requests of the turn; 0 where it reports none."""
    names = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    return Tokens(*(max(0, int(usage.get(name) or 0)) for name in names))


class NotASchema(Exception):
    """What was given as a JSON schema is none."""


def schema(text: str) -> dict[str, Any]:
    """The schema that this text is; whether it makes sense the program says when it starts. Raises NotASchema."""
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NotASchema(f"the schema of the answer is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise NotASchema(f"the schema of the answer is no JSON object but {type(found).__name__}")
    return cast("dict[str, Any]", found)


def endless(about: object, turn: Turn, most: int) -> Fault:
    """An answer that goes on beyond all limits; what it costs is estimated."""
    cause = Cause.NO_STRUCTURED_ANSWER if turn.structured else Cause.TURN_LIMIT
    return Fault(about, cause, f"the answer went on beyond {most} bytes, more than its tokens can be")


def crashed(about: object, error: Exception, said: str) -> Fault:
    """The program or the line to it has gone, or it has not started; `said` is what it wrote on standard error."""
    if isinstance(error, NotASchema):
        return Fault(about, Cause.REFUSED, str(error))
    if "json-schema" in said or "JSON Schema" in said:
        return Fault(about, Cause.REFUSED, said)
    return Fault(about, Cause.CRASH, f"the Claude program has failed: {said or repr(error)}")


def _cause(result: "ResultMessage", turn: Turn) -> Cause | None:
    prose, status = (result.result or "").lower(), result.api_error_status
    if result.terminal_reason in {"aborted_streaming", "aborted_tools"}:
        return Cause.CANCELLED
    if result.stop_reason == "refusal":
        return Cause.REFUSED
    if found := BY_ERROR.get(turn.error or "") or BY_REASON.get(result.terminal_reason or ""):
        return found
    if status is not None:
        return _of_status(status)
    if result.is_error:
        return Cause.TIMEOUT if "timed out" in prose or "timeout" in prose else Cause.NETWORK
    return Cause.REFUSED if result.num_turns == 0 else None  # a blank prompt: nothing was sent


def _of_status(status: int) -> Cause:
    if status == OVERLOADED:
        return Cause.OVERLOADED
    if status == 429:
        return Cause.RATE_LIMITED
    return Cause.SERVER if status >= 500 else Cause.REFUSED
