"""The analyst's answers pass every check of a good answer, and come in the shape that was asked for."""

import json
import math
import re

import pytest

from tests.stub.analyst import STRUCTURED, Twisted, parsed, view
from tests.stub.client import FACTS, ask, body, said, stopped
from tests.stub.server import Stub


def test_the_analyst_calls_the_tool_for_structured_answers_in_small_pieces(claude_api: Stub) -> None:
    streamed = ask(claude_api)

    answer = json.loads(said(streamed))
    pieces = [event["delta"]["partial_json"] for event in streamed if event["type"] == "content_block_delta"]
    assert set(answer) == {"action", "conviction", "horizon_days", "target", "stop", "thesis", "cited", "cause"}
    assert max(map(len, pieces)) <= 6
    assert stopped(streamed) == "tool_use"
    assert streamed[1]["content_block"]["name"] == STRUCTURED
    assert [event["type"] for event in streamed[-2:]] == ["message_delta", "message_stop"]


def test_without_that_tool_the_analyst_echoes_what_was_said_last(claude_api: Stub) -> None:
    asked = body("How is the weather?", structured=False)
    asked["messages"][0]["content"].insert(0, {"type": "text", "text": "a reminder of the program's"})

    streamed = ask(claude_api, asked)

    assert said(streamed) == "You said: How is the weather?"
    assert stopped(streamed) == "end_turn"


@pytest.mark.parametrize(
    ("close", "action"), [("600.5", "BUY"), ("430.47", "SELL"), ("581", "HOLD"), ("0.5", "SELL"), ("12345.6", "BUY")]
)
@pytest.mark.parametrize("atr", ["0.01", "11.5", "200"])
def test_the_analysts_prices_stand_on_the_right_side_within_the_band_and_clear_of_the_noise(
    close: str, action: str, atr: str
) -> None:
    answer = view(parsed(FACTS.replace("430.47", close).replace("11.5", atr)))

    side = {"BUY": 1, "SELL": -1, "HOLD": 0}[answer["action"]]
    reach = 3 * 0.33 * math.sqrt(answer["horizon_days"] / 252)
    assert answer["action"] == action
    if action == "HOLD":
        assert (answer["target"], answer["stop"]) == (None, None)
    for price, direction in ((answer["target"], side), (answer["stop"], -side)):
        if price is not None:
            assert (price - float(close)) * direction > 0
            assert abs(math.log(price / float(close))) <= reach
    if answer["stop"] is not None:
        assert abs(answer["stop"] - float(close)) >= float(atr) / 2


def test_the_analyst_writes_no_figures_and_cites_what_it_inserts() -> None:
    answer = view(parsed(FACTS))

    placeholders = re.findall(r"\{(f\d+)\}", answer["thesis"])
    assert answer["cited"] == placeholders
    assert len(set(placeholders)) == len(placeholders) == 3
    assert not re.search(r"\d", re.sub(r"\{f\d+\}", "", answer["thesis"]))


def test_without_a_volatility_the_analyst_names_no_prices() -> None:
    answer = view(parsed("\n".join(line for line in FACTS.splitlines() if "volatility" not in line)))

    assert (answer["action"], answer["target"], answer["stop"]) == ("SELL", None, None)


def test_without_facts_the_analyst_abstains_with_a_cause() -> None:
    answer = view(parsed("symbol: AAPL\nas_of: 2013-03-01\n"))

    assert (answer["action"], answer["cited"], answer["thesis"]) == ("ABSTAIN", [], None)
    assert "no long average" in answer["cause"]


def test_the_analyst_finds_the_facts_again_when_it_is_asked_to_repair(claude_api: Stub) -> None:
    asked = body()
    asked["messages"] += [
        {"role": "assistant", "content": [{"type": "text", "text": "…"}]},
        {"role": "user", "content": "Repair the field target."},
    ]

    assert said(ask(claude_api, asked)) == said(ask(claude_api))


def test_a_twist_changes_the_analysts_answer(claude_api: Stub) -> None:
    claude_api.will(
        Twisted(change=lambda answer: answer | {"target": 1.0}), Twisted(change=lambda answer: answer.pop("cause"))
    )

    first, second = (json.loads(said(ask(claude_api))) for _ in range(2))

    assert first["target"] == 1.0
    assert "cause" not in second
