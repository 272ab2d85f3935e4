"""Each behaviour does on the wire what its name says."""

import json
import time
from http.client import IncompleteRead

import pytest

from tests.stub import failures
from tests.stub.behaviours import (
    Answers,
    Calls,
    Cuts,
    ErrorInStream,
    Resets,
    RunsOut,
    Says,
    SaysNothing,
    Stalls,
    huge,
    refuses,
)
from tests.stub.client import ask, body, connected, events, post, said, stopped
from tests.stub.failures import Fails
from tests.stub.faults import Every
from tests.stub.replies import Json
from tests.stub.server import Stub


@pytest.mark.parametrize(
    ("fails", "status", "kind"),
    [
        (failures.rate_limited(7), 429, "rate_limit_error"),
        (failures.overloaded(), 529, "overloaded_error"),
        (failures.server_error(), 500, "api_error"),
        (failures.unavailable(), 503, "api_error"),
        (failures.not_signed_in(), 401, "authentication_error"),
        (failures.forbidden(), 403, "permission_error"),
        (failures.no_credit(), 400, "invalid_request_error"),
        (failures.unknown_model(), 404, "not_found_error"),
        (failures.prompt_too_long(), 400, "invalid_request_error"),
        (failures.too_large(), 413, "request_too_large"),
        (failures.bad_request(), 400, "invalid_request_error"),
    ],
)
def test_a_failure_has_the_apis_status_and_shape(claude_api: Stub, fails: Fails, status: int, kind: str) -> None:
    claude_api.will(fails)

    with connected(claude_api) as connection:
        response = post(connection, body())
        answer = json.load(response)

    assert response.status == status
    assert answer["error"]["type"] == kind
    assert response.headers["retry-after"] == ("7" if status == 429 else None)


def test_an_answer_takes_its_seconds_evenly(claude_api: Stub) -> None:
    claude_api.default = Says("abcdefgh", seconds=0.4, fragment=1)

    with connected(claude_api) as connection:
        begun = time.monotonic()
        response = post(connection, body())
        moments = [time.monotonic() - begun for event in events(response) if event["type"] == "content_block_delta"]
        whole = time.monotonic() - begun

    assert len(moments) == 8
    assert all(moment >= number * 0.05 - 0.01 for number, moment in enumerate(moments))
    assert whole >= 0.4


def test_thinking_comes_before_the_text_and_apart_from_it(claude_api: Stub) -> None:
    claude_api.default = Says("So.", thinking="Hm.")

    streamed = ask(claude_api)

    kinds = [event["delta"]["type"] for event in streamed if event["type"] == "content_block_delta"]
    assert kinds == ["thinking_delta", "signature_delta", "text_delta"]
    assert said(streamed) == "Hm.So."


def test_a_reset_comes_before_any_header(claude_api: Stub) -> None:
    claude_api.will(Resets())

    with connected(claude_api) as connection, pytest.raises(ConnectionError):
        post(connection, body())


def test_a_cut_comes_after_a_part_of_the_stream_and_the_next_question_is_answered(claude_api: Stub) -> None:
    claude_api.will(Cuts(Says("abcdefgh", fragment=1), at=0.5))
    streamed: list[Json] = []

    with connected(claude_api) as connection, pytest.raises((ConnectionError, IncompleteRead)):
        streamed.extend(events(post(connection, body())))

    assert said(streamed) == "abcd"
    assert stopped(ask(claude_api)) == "tool_use"


def test_nothing_is_answered_until_the_client_hangs_up(claude_api: Stub) -> None:
    claude_api.will(SaysNothing())

    with connected(claude_api) as connection:
        connection.request("POST", "/v1/messages", json.dumps(body()))
        request = claude_api.wait_for_request()
        assert request.ended is None
        assert claude_api.in_flight == 1

    assert claude_api.wait_until(lambda stub: stub.in_flight == 0)


def test_a_stall_keeps_what_was_said_and_pings_go_on(claude_api: Stub) -> None:
    claude_api.will(Stalls(Says("abcdefgh", fragment=1), at=0.5, pings=True))

    with connected(claude_api) as connection:
        streamed: list[Json] = []
        for event in events(post(connection, body())):
            streamed.append(event)
            if event["type"] == "ping":
                break

    assert said(streamed) == "abcd"
    assert streamed[-1] == {"type": "ping"}


def test_an_error_may_come_in_the_middle_of_the_stream(claude_api: Stub) -> None:
    claude_api.will(ErrorInStream())

    assert ask(claude_api)[-1]["error"]["type"] == "overloaded_error"


def test_an_answer_may_run_out_of_tokens_in_text_and_in_structure(claude_api: Stub) -> None:
    claude_api.will(RunsOut(Says("x" * 100)), RunsOut(at=0.2))

    text, structure = ask(claude_api), ask(claude_api)

    assert (said(text), stopped(text), stopped(structure)) == ("x" * 50, "max_tokens", "max_tokens")
    with pytest.raises(json.JSONDecodeError):
        json.loads(said(structure))


def test_an_answer_may_be_anything(claude_api: Stub) -> None:
    claude_api.will(Answers({"action": "MAYBE"}), Answers("[1, 2"), refuses(), huge())

    wrong, broken, refused, long = (ask(claude_api) for _ in range(4))

    assert json.loads(said(wrong)) == {"action": "MAYBE"}
    assert said(broken) == "[1, 2"
    assert stopped(refused) == "refusal"
    assert len(said(long)) == 3_000_000


def test_a_tool_is_called_and_its_result_answered(claude_api: Stub) -> None:
    claude_api.default = Calls("mcp__desk__positions", {"limit": 3}, then="Done.")
    asked = body()
    result = {"type": "tool_result", "tool_use_id": "toolu_stub1", "content": "[]"}

    called = ask(claude_api, asked)
    asked["messages"] += [{"role": "assistant", "content": []}, {"role": "user", "content": [result]}]
    answered = ask(claude_api, asked)

    assert called[1]["content_block"]["name"] == "mcp__desk__positions"
    assert json.loads(said(called)) == {"limit": 3}
    assert (said(answered), stopped(answered)) == ("Done.", "end_turn")


def test_a_fault_in_every_third_request_is_picked_by_the_seed() -> None:
    faults = [failures.overloaded(), failures.server_error(), failures.forbidden()]

    def picked(seed: int) -> list[str]:
        with Stub(Every(3, faults, Says("fine"), seed=seed)) as stub:
            for _ in range(12):
                ask(stub)
            return [request.behaviour for request in stub.requests]

    once, again, other = picked(1), picked(1), picked(2)

    assert once == again != other
    assert [number for number, name in enumerate(once, 1) if name.startswith("Fails")] == [3, 6, 9, 12]
