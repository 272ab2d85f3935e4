"""A question on its way: what is let in, and when it has been silent for too long."""

import pytest

from actors.claude.line import Turn, plain, unfit
from actors.kernel.testing import Probe
from messages.addresses import ReplyTo
from messages.claude import Asking, Cause, Question
from tests.actors.claude.gateways import PROSE, ROUND, End, text


def question(prompt: str = "Why?", deadline: float = 100.0) -> Question:
    return Question("q", PROSE, prompt, "question", ROUND, deadline, Probe[End]("q"))


@pytest.mark.parametrize("prompt", ["Why?", "/clear", "@/etc/passwd", "ü\N{GRINNING FACE}", "x" * 1_000_000])
def test_what_can_be_asked_is_let_in_word_for_word(prompt: str) -> None:
    assert unfit(question(prompt), 0.0) is None


@pytest.mark.parametrize(
    ("prompt", "deadline", "cause"),
    [
        ("Why?", 10.0, Cause.DEADLINE),
        ("", 9.0, Cause.DEADLINE),
        ("", 100.0, Cause.REFUSED),
        ("\N{NO-BREAK SPACE}\n", 100.0, Cause.REFUSED),
        ("\0", 100.0, Cause.REFUSED),
        ("\udcff", 100.0, Cause.REFUSED),
        (" " * 1_000_001, 100.0, Cause.TOO_LONG),
    ],
)
def test_what_cannot_be_asked_is_not(prompt: str, deadline: float, cause: Cause) -> None:
    fault = unfit(question(prompt, deadline), 10.0)

    assert fault is not None
    assert fault[0] is cause


def test_plain_text_is_left_as_it_is() -> None:
    assert plain("ü\N{GRINNING FACE}\0") == "ü\N{GRINNING FACE}\0"
    assert plain("a\ud83db") == "a?b"


def test_before_the_first_token_it_may_be_silent_longer_than_after_it() -> None:
    turn, asking = Turn(question(), ReplyTo(None)), Asking(first_token_within=60, silence=30)
    turn.asked_at = turn.heard_at = 5.0
    assert turn.silent_in(asking, 25.0) == (40.0, "Claude has not begun to answer for 60 s")

    turn.heard, turn.heard_at = text("so"), 20.0

    assert turn.silent_in(asking, 25.0) == (25.0, "Claude has said nothing more for 30 s")
