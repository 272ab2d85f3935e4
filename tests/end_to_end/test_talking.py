"""`ask` and `chat`: a person's questions, by the real program, alone and beside a desk that serves."""

import json
from collections.abc import Iterator
from signal import SIGINT
from typing import Any

import pytest

from actors.console.client import call
from tests.end_to_end.claude_places import ClaudePlace, claude_place
from tests.end_to_end.places import until
from tests.stub.analyst import Analyst
from tests.stub.behaviours import Calls
from tests.stub.failures import overloaded

AGREED = "INSERT INTO claude_consents (at, model, usd_per_round) VALUES (0, 'claude-sonnet-5', 1000000000)"


@pytest.fixture
def place() -> Iterator[ClaudePlace]:
    """A place where a person has agreed to Claude."""
    with claude_place() as made:
        made.hold()
        made.change(AGREED)
        yield made


@pytest.fixture(params=["alone", pytest.param("beside a desk", marks=pytest.mark.long)])
def either(request: pytest.FixtureRequest, place: ClaudePlace) -> ClaudePlace:
    """The same, where a desk may serve."""
    if request.param == "beside a desk":
        place.serve()
    return place


def test_nothing_is_asked_before_a_person_has_agreed() -> None:
    with claude_place() as place:
        asked, talked = place.run("ask", "How much cash?"), place.run("chat", typed="How much cash?\n")

        for ended in (asked, talked):
            assert ended.code == 1
            assert "nobody has agreed yet" in ended.lines[-1]
        assert place.stub.requests == []


def test_a_question_is_answered_and_paid_for(either: ClaudePlace) -> None:
    plain, exact = either.run("ask", "How much cash?"), either.run("ask", "And shares?", "--json")

    assert plain.code == 0
    assert "You said: How much cash?" in plain.out.splitlines()
    assert plain.lines[0].startswith("Claude: claude-sonnet-5, for up to 0.50 $ a question.")
    assert (exact.code, exact.json["answer"]) == (0, "You said: And shares?")
    assert either.rows("SELECT purpose, symbol, outcome FROM claude_questions") == [("question", None, "answered")] * 2
    last = either.rows("SELECT id, cost FROM claude_questions ORDER BY asked_at")[-1]
    assert last == (exact.json["question"], round(float(exact.json["cost_usd"]) * 1e9))


def test_a_talk_goes_on_until_exit(either: ClaudePlace) -> None:
    ended = either.run("chat", typed="First.\n\nSecond.\nexit\nThird.\n")

    assert ended.code == 0, ended
    assert [line for line in ended.out.splitlines() if "You said" in line] == ["You said: First.", "You said: Second."]
    assert roles(either) == ["user", "assistant", "user"]
    assert len(either.stub.requests) == 2


def test_a_talk_that_was_lost_is_said_to_be(place: ClaudePlace) -> None:
    place.stub.will(Analyst(), overloaded(), overloaded())

    ended = place.run("chat", typed="First.\nSecond.\nThird.\n")

    assert ended.code == 0
    assert "error: Claude has not answered (overloaded)" in ended.err
    assert "what was said before is lost to Claude" in ended.err
    assert roles(place) == ["user"]


def test_a_tool_tells_what_the_desk_holds(place: ClaudePlace) -> None:
    place.stub.will(Calls("mcp__desk__positions", {}))

    ended = place.run("ask", "What do I hold?", "--json")

    (result,) = results(place)
    assert '"symbol":"AAPL"' in json.dumps(result["content"]).replace("\\", "")
    assert (ended.code, len(place.stub.requests)) == (0, 2)


def test_a_tool_that_is_called_wrongly_says_what_it_takes(place: ClaudePlace) -> None:
    place.stub.will(Calls("mcp__desk__bars", {"symbol": "AAPL", "sessions": 100_000}))

    ended = place.run("ask", "What was the close?", "--json")

    (result,) = results(place)
    assert result["is_error"]
    assert "250" in json.dumps(result["content"])
    assert ended.code == 0


def messages(place: ClaudePlace) -> list[Any]:
    """What the last request consisted of, but for the program's own reminders."""
    return [each for each in place.stub.requests[-1].body["messages"] if each["role"] != "system"]


def roles(place: ClaudePlace) -> list[str]:
    """Whose turn it was, one after the other, in the last request."""
    return [each["role"] for each in messages(place)]


def results(place: ClaudePlace) -> list[Any]:
    """What tools have told Claude in the last request."""
    return [block for block in messages(place)[-1]["content"] if block["type"] == "tool_result"]


def test_who_interrupts_an_answer_cancels_it(either: ClaudePlace) -> None:
    either.stub.default = Analyst(seconds=30.0)
    program = either.start("ask", "How much cash?")
    until(lambda: program.ended or "You" in program.out, "the beginning of an answer")

    program.send(SIGINT)

    assert program.wait(10.0).code == 130
    until(lambda: either.rows("SELECT outcome FROM claude_questions") == [("cancelled",)], "the end of the question")
    ((reserved, cost),) = either.rows("SELECT reserved, cost FROM claude_questions")
    assert 0 < cost <= reserved


def test_whoever_comes_later_sees_how_far_an_answer_is(place: ClaudePlace) -> None:
    place.serve()
    place.stub.default = Analyst(seconds=30.0)
    program = place.start("ask", "How much cash?")
    until(lambda: program.ended or "You" in program.out, "the beginning of an answer")
    ((correlation_id,),) = place.rows("SELECT correlation_id FROM claude_questions")

    seen = call(place.home / "control.sock", "GET", f"/progress/{correlation_id}?after=0")

    assert seen["text"].startswith("You")
    assert not seen["ended"]
    program.send(SIGINT)
    program.wait(10.0)
