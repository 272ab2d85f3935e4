"""The stub takes, remembers and counts requests, and ends with its block."""

import json
import threading
from http.client import HTTPException

import pytest

from tests.stub import failures
from tests.stub.__main__ import parser
from tests.stub.__main__ import stub as made
from tests.stub.behaviours import (
    Says,
    SaysNothing,
    Stalls,
)
from tests.stub.client import ask, body, connected, post, said, stopped
from tests.stub.faults import FAULTS
from tests.stub.server import TITLING, Stub


def test_queued_behaviours_answer_in_order_and_then_the_default_does(claude_api: Stub) -> None:
    claude_api.will(Says("one"), Says("two"))
    claude_api.default = Says("default")

    assert [said(ask(claude_api)) for _ in range(4)] == ["one", "two", "default", "default"]
    assert claude_api.queued == ()


def test_what_came_is_remembered(claude_api: Stub) -> None:
    claude_api.will(Says("one"))

    ask(claude_api)

    (request,) = claude_api.requests
    assert request.body == body()
    assert request.headers["content-type"] == "application/json"
    assert request.behaviour.startswith("Says(text='one'")
    assert claude_api.wait_until(lambda _: request.ended is not None)
    assert request.ended is not None
    assert request.ended >= request.begun


def test_tokens_are_counted_from_what_was_sent_and_said(claude_api: Stub) -> None:
    claude_api.default = Says("x" * 400)

    streamed = ask(claude_api, body("y" * 40_000))

    begun, ended = streamed[0]["message"]["usage"], streamed[-2]["usage"]
    assert 10_000 <= begun["input_tokens"] <= 10_200
    assert ended["input_tokens"] == begun["input_tokens"]
    assert ended["output_tokens"] == 100


def test_a_request_that_does_not_stream_is_answered_whole(claude_api: Stub) -> None:
    with connected(claude_api) as connection:
        answer = json.load(post(connection, body(stream=False)))

    assert answer["content"][0]["input"]["action"] == "SELL"
    assert answer["stop_reason"] == "tool_use"


def test_a_request_of_the_programs_own_takes_no_behaviour_of_a_question(claude_api: Stub) -> None:
    claude_api.will(failures.overloaded())

    streamed = ask(claude_api, body(structured=False) | {"system": [{"type": "text", "text": TITLING}]})

    assert stopped(streamed) == "end_turn"
    assert (len(claude_api.asides), len(claude_api.requests), len(claude_api.queued)) == (1, 0, 1)


@pytest.mark.parametrize("stalls", [Stalls(), Stalls(pings=True), SaysNothing()])
def test_a_stall_ends_with_the_stub_and_leaves_no_thread(stalls: Stalls | SaysNothing) -> None:
    before = threading.active_count()
    with Stub(stalls) as stub, connected(stub) as connection:
        connection.request("POST", "/v1/messages", json.dumps(body()))
        stub.wait_for_request()

        stub.close()

        with pytest.raises((HTTPException, ConnectionError)):
            connection.getresponse().read()
    assert stub.in_flight == 0
    assert threading.active_count() == before


def test_an_idle_connection_does_not_keep_the_stub_open() -> None:
    before = threading.active_count()
    with Stub() as stub, connected(stub) as connection:
        post(connection, body()).read()

        stub.close()

    assert threading.active_count() == before


def test_requests_at_the_same_time_are_counted(claude_api: Stub) -> None:
    claude_api.default = SaysNothing()

    with connected(claude_api) as one, connected(claude_api) as other:
        for connection in (one, other):
            connection.request("POST", "/v1/messages", json.dumps(body()))
        assert claude_api.wait_until(lambda stub: stub.in_flight == 2)

    assert claude_api.wait_until(lambda stub: stub.in_flight == 0)
    assert claude_api.most_in_flight == 2


def test_a_bug_in_a_behaviour_is_not_swallowed() -> None:
    def broken(_: object) -> None:
        raise LookupError("a bug")

    stub = Stub(broken).__enter__()

    with connected(stub) as connection, pytest.raises((HTTPException, ConnectionError)):
        post(connection, body())

    with pytest.raises(LookupError, match="a bug"):
        stub.__exit__(None, None, None)


def test_it_is_started_by_hand_with_faults_by_name() -> None:
    with made(["--fault", "overloaded", "--every", "2", "--seconds", "0"]) as stub:
        kinds = [event["type"] for _ in range(2) for event in ask(stub)[:1]]

    assert kinds == ["message_start"]
    assert [request.behaviour.split("(")[0] for request in stub.requests] == ["Analyst", "Fails"]


def test_its_help_lists_every_fault() -> None:
    text = parser().format_help().replace("\n", "").replace(" ", "")

    assert [name for name in FAULTS if name not in text] == []
