"""What the program says at the end of a turn is told apart as it was measured, fault by fault."""

from decimal import Decimal
from typing import Any, Final

import pytest
from claude_agent_sdk import ResultMessage

from actors.claude.outcomes import Turn, crashed, read
from actors.claude.sessions import Fault, Said
from messages.claude import Cause

COST: Final = Decimal("0.003")
PROSE: Final = "said in prose"
API: Final[dict[str, Any]] = {"is_error": True, "terminal_reason": "api_error", "stop_reason": "stop_sequence"}
"""How most errors look: the subtype is success."""
ENDED: Final[dict[str, Any]] = {"terminal_reason": "completed", "stop_reason": "tool_use"}


def result(**fields: Any) -> ResultMessage:
    usual: dict[str, Any] = {
        "subtype": "success", "duration_ms": 10, "duration_api_ms": 5, "is_error": False, "num_turns": 1,
        "session_id": "session", "result": PROSE, "total_cost_usd": 0.003,
    }  # fmt: skip
    return ResultMessage(**usual | fields)


def cause(found: Said | Fault) -> Cause | None:
    return found.cause if isinstance(found, Fault) else None


def judged(message: ResultMessage, *, error: str | None = None, structured: bool = True, follows: bool = False) -> Any:
    return read("about", message, Turn(structured, follows, error), COST)


FAULTS: Final[list[tuple[str, dict[str, Any], str | None, Cause]]] = [
    ("429", API | {"api_error_status": 429}, "rate_limit", Cause.RATE_LIMITED),
    ("529", API | {"api_error_status": 529}, "server_error", Cause.OVERLOADED),
    ("500", API | {"api_error_status": 500}, "server_error", Cause.SERVER),
    ("503", API | {"api_error_status": 503}, "server_error", Cause.SERVER),
    ("401", API | {"api_error_status": 401}, "authentication_failed", Cause.AUTHENTICATION),
    ("403", API | {"api_error_status": 403}, "authentication_failed", Cause.AUTHENTICATION),
    ("no key at all", API, "authentication_failed", Cause.AUTHENTICATION),
    ("an organisation that may not", API, "oauth_org_not_allowed", Cause.AUTHENTICATION),
    ("no credit", API | {"api_error_status": 400}, "billing_error", Cause.BILLING),
    ("unknown model", API | {"api_error_status": 404}, "model_not_found", Cause.MODEL),
    ("prompt too long", API | {"api_error_status": 400, "terminal_reason": "prompt_too_long"}, "invalid_request",
     Cause.TOO_LONG),
    ("413", API | {"api_error_status": 413, "terminal_reason": "image_error"}, "invalid_request", Cause.TOO_LONG),
    ("too long for the program", API | {"terminal_reason": "blocking_limit"}, "invalid_request", Cause.TOO_LONG),
    ("bad request", API | {"api_error_status": 400}, "unknown", Cause.REFUSED),
    ("reset", API | {"result": "API Error: ECONNRESET"}, "server_error", Cause.NETWORK),
    ("nobody listens", API | {"result": "API Error: ECONNREFUSED"}, "server_error", Cause.NETWORK),
    ("cut", API | {"result": "API Error: terminated"}, "server_error", Cause.NETWORK),
    ("an error in the stream", API | {"api_error_status": 529, "result": "API Error: Overloaded"}, "unknown",
     Cause.OVERLOADED),
    ("no stream", API | {"result": "Stream ended without receiving any events"}, "unknown", Cause.NETWORK),
    ("no header", API | {"result": "Request timed out."}, "server_error", Cause.TIMEOUT),
    ("a stall", API | {"result": "Stream idle timeout - no chunks received"}, "unknown", Cause.TIMEOUT),
    ("refusal in text", API | {"stop_reason": "refusal"}, "invalid_request", Cause.REFUSED),
    ("refusal after an answer", {"is_error": True, "terminal_reason": "completed", "stop_reason": "refusal"},
     "invalid_request", Cause.REFUSED),
    ("too dear", {"subtype": "error_max_budget_usd", "is_error": True, "terminal_reason": "budget_exhausted",
                  "result": None}, None, Cause.BUDGET),
    ("interrupt", {"subtype": "error_during_execution", "is_error": True, "terminal_reason": "aborted_streaming",
                   "result": None}, None, Cause.CANCELLED),
    ("interrupt in a tool", {"subtype": "error_during_execution", "is_error": True,
                             "terminal_reason": "aborted_tools", "result": None}, None, Cause.CANCELLED),
    ("a blank prompt", {"num_turns": 0, "terminal_reason": None}, None, Cause.REFUSED),
]  # fmt: skip


@pytest.mark.parametrize("structured", [True, False])
@pytest.mark.parametrize(("fields", "error", "expected"), [row[1:] for row in FAULTS], ids=[row[0] for row in FAULTS])
def test_a_fault_has_its_cause_and_what_it_cost(
    fields: dict[str, Any], error: str | None, expected: Cause, structured: bool
) -> None:
    found = judged(result(**fields), error=error, structured=structured)

    assert isinstance(found, Fault)
    assert (found.about, found.cause, found.cost) == ("about", expected, COST)
    assert found.sentence


TURNS: Final[dict[str, Any]] = {
    "subtype": "error_max_turns", "is_error": True, "terminal_reason": "max_turns", "result": None,
    "errors": ["Reached maximum number of turns (1)"],
}  # fmt: skip
OUT_OF_TOKENS: Final[dict[str, Any]] = API | {"result": "the answer exceeded the output token maximum"}


@pytest.mark.parametrize(
    ("fields", "error"), [(TURNS, None), (OUT_OF_TOKENS, "max_output_tokens")], ids=["turns", "tokens"]
)
def test_a_limit_of_turns_or_tokens_is_no_structured_answer_where_one_was_asked_for(
    fields: dict[str, Any], error: str | None
) -> None:
    assert cause(judged(result(**fields), error=error, structured=True)) is Cause.NO_STRUCTURED_ANSWER
    assert cause(judged(result(**fields), error=error, structured=False)) is Cause.TURN_LIMIT


@pytest.mark.parametrize(
    "fields",
    [
        ENDED,
        ENDED | {"result": "API Error: 529 Overloaded. Please try again later."},
        {"subtype": "error_max_structured_output_retries", "is_error": True, "result": None,
         "terminal_reason": "structured_output_retry_exhausted", "errors": ["Failed to provide valid output"]},
    ],
    ids=["prose", "error prose", "five that do not fit"],
)  # fmt: skip
def test_prose_is_never_taken_for_a_structured_answer(fields: dict[str, Any]) -> None:
    assert cause(judged(result(**fields), structured=True)) is Cause.NO_STRUCTURED_ANSWER


@pytest.mark.parametrize("reason", ["prompt_too_long", "blocking_limit"])
def test_what_is_too_long_after_earlier_talk_is_a_conversation_that_is_full(reason: str) -> None:
    message = result(**API | {"terminal_reason": reason})

    assert cause(judged(message, error="invalid_request", follows=True)) is Cause.CONVERSATION_FULL
    assert cause(judged(message, error="invalid_request", follows=False)) is Cause.TOO_LONG


def test_a_structured_answer_is_its_json_and_prose_its_text() -> None:
    value = {"action": "BUY", "target": 430.47}

    structured = judged(result(**ENDED, structured_output=value, num_turns=2))
    prose = judged(result(**ENDED), structured=False)

    assert structured == Said("about", PROSE, '{"action": "BUY", "target": 430.47}', COST, 2)
    assert prose == Said("about", PROSE, None, COST, 1)


def test_an_empty_answer_in_prose_is_an_answer() -> None:
    assert judged(result(**ENDED | {"result": ""}), structured=False).text == ""


def test_the_sentence_is_one_line_of_bounded_length() -> None:
    long = judged(result(**API | {"result": "API Error:\n\n" + "x" * 1000}))
    listed = judged(result(**TURNS))

    assert "\n" not in long.sentence
    assert len(long.sentence) <= 300
    assert listed.sentence == "Reached maximum number of turns (1)"


@pytest.mark.parametrize(
    "said", ["Error: --json-schema must be a JSON object", "Error: it is not a valid JSON Schema: type"]
)
def test_a_schema_that_is_none_is_refused_and_any_other_end_of_the_program_a_crash(said: str) -> None:
    assert crashed("about", RuntimeError("exit code 1"), said).cause is Cause.REFUSED
    fault = crashed("about", RuntimeError("exit code 1"), "")
    assert (fault.cause, fault.cost) == (Cause.CRASH, None)
    assert "exit code 1" in fault.sentence
