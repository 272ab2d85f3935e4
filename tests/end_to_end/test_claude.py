"""`once` with Claude, as a person runs it: the real package and the real program, against the stub."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest

from tests.end_to_end.claude_places import (
    SENT,
    About,
    ClaudePlace,
    actions,
    analysts,
    causes,
    claude_place,
    refused,
)
from tests.end_to_end.places import Ended
from tests.stub import failures
from tests.stub.analyst import STRUCTURED, Twisted, texts
from tests.stub.behaviours import Stalls, error_prose, refuses

SYMBOLS: Final = ["AAPL", "FB", "GOOG", "IBM", "MSFT"]
HINDSIGHT: Final = "Claude may know what came later; these answers are never scored."
FAR: Final = 4_000_000_000_000_000
"""A moment in 2096, in microseconds."""
WATCHING: Final = "symbol,quantity,cost\nAAPL,10,100\nFB,10,10\nGOOG,1,100\nIBM,10,100\nCASH:USD,500,1\n"
"""All but MSFT, which is watched; what is not held is foreign to the others."""


@dataclass(frozen=True)
class Round:
    """A round by Claude that nothing has happened to: how it was printed, and its home."""

    ended: Ended
    home: Path
    bodies: list[dict[str, Any]]
    most_in_flight: int


@pytest.fixture
def place() -> Iterator[ClaudePlace]:
    with claude_place() as made:
        yield made


@pytest.fixture(scope="module")
def answered() -> Iterator[Round]:
    with claude_place() as made:
        ended = made.run("once", "--claude", "on")
        assert ended.code == 0, ended
        yield Round(ended, made.home, [each.body for each in made.stub.requests], made.stub.most_in_flight)
        assert made.stub.asides == []
        assert made.left == []


@pytest.fixture
def agreed(place: ClaudePlace, answered: Round) -> ClaudePlace:
    """A place where somebody has agreed, and a round by Claude has run."""
    place.copy_home(answered.home)
    return place


# Five questions


def test_once_with_claude_asks_five_questions_one_at_a_time_and_prints_what_claude_recommends(answered: Round) -> None:
    ended, bodies = answered.ended, answered.bodies

    assert ended.code == 0
    assert ended.lines[0].startswith(SENT + "5 symbols")
    assert "for up to 1.00 $" in ended.lines[0]
    assert len(ended.lines) == 1
    assert (len(bodies), answered.most_in_flight) == (5, 1)
    assert sorted(line.split()[1] for line in ended.out.splitlines() if " claude " in line) == SYMBOLS
    assert "by Claude, for 0.0" in ended.out
    assert HINDSIGHT in ended.out.splitlines()


def test_a_question_stands_alone_and_offers_nothing_but_the_structured_answer(answered: Round) -> None:
    for body in answered.bodies:
        said = [text for message in body["messages"] for text in texts(message)]
        assert "assistant" not in {message["role"] for message in body["messages"]}
        assert [tool["name"] for tool in body["tools"]] == [STRUCTURED]
        assert len([text for text in said if "symbol:" in text]) == 1
        assert body["model"] == "claude-sonnet-5"
        assert "You are the analyst of a trading desk." in json.dumps(body["system"])


def test_the_same_round_again_asks_nothing_and_prints_the_same(agreed: ClaudePlace, answered: Round) -> None:
    again = agreed.run("once", "--claude", "on")
    auto = agreed.run("once", "--claude", "auto")
    report = agreed.ask()

    assert (again.code, again.out) == (auto.code, auto.out) == (0, answered.ended.out)
    assert agreed.stub.requests == []
    assert report["claude"]["state"] == "answered"
    assert analysts(report) == {"claude"}
    assert {each["hindsight"] for each in report["recommendations"]} == {True}
    assert causes(report) == {"FB": "abstained"}


def test_what_the_questions_cost_is_what_the_decisions_say(agreed: ClaudePlace) -> None:
    report = agreed.ask()

    costs = [Decimal(each["cost_usd"]) for each in report["recommendations"]]
    assert min(costs) > 0
    assert sum(costs) == Decimal(report["claude"]["cost_usd"]) == agreed.spent
    assert agreed.rows("SELECT DISTINCT outcome, model FROM claude_questions") == [("answered", "claude-sonnet-5")]


# What goes wrong with one


@pytest.fixture(scope="module")
def troubled() -> Iterator[tuple[ClaudePlace, Any]]:
    """A round in which something else goes wrong with each symbol but one, and what came of it."""
    with claude_place() as made:
        made.settings('[research]\nwatch = ["MSFT"]\n')
        made.hold(WATCHING)
        made.stub.default = About(
            AAPL=[Twisted(change=lambda view: view | {"target": 100.0})] * 2,
            FB=[error_prose()] * 2,
            GOOG=[Twisted(change=lambda view: view | {"thesis": f"Up 20 percent. {view['thesis']}"})],
            IBM=[Twisted(change=lambda view: view | {"thesis": f"Better than MSFT. {view['thesis']}"})],
            MSFT=[failures.overloaded()] * 2,
        )
        yield made, made.ask()


def test_what_cannot_stand_is_no_view_with_the_right_cause_and_one_repair_may_succeed(
    troubled: tuple[ClaudePlace, Any],
) -> None:
    place, report = troubled

    assert causes(report) == {
        "AAPL": "outside_band", "FB": "no_structured_answer", "IBM": "foreign_symbol", "MSFT": "overloaded",
    }  # fmt: skip
    assert actions(report) == dict.fromkeys(SYMBOLS, "ABSTAIN") | {"GOOG": "BUY"}
    assert (analysts(report), report["claude"]["state"]) == ({"claude"}, "partial")
    assert (place.asked["GOOG"], place.asked["AAPL"], place.asked["IBM"]) == (2, 2, 1)
    (kept,) = place.rows("SELECT payload -> 'inquiry' FROM decisions WHERE symbol = 'GOOG'")
    inquiry = json.loads(kept[0])
    assert [len(inquiry[name]) for name in ("prompts", "answers", "checks", "questions")] == [2, 2, 2, 2]
    assert inquiry["checks"][1] == ""
    outcomes: dict[str, str] = dict(
        place.rows("SELECT symbol, outcome FROM claude_questions WHERE symbol IN ('FB', 'MSFT')")
    )
    assert outcomes == {"FB": "no_structured_answer", "MSFT": "overloaded"}
    assert place.spent == Decimal(report["claude"]["cost_usd"])


@pytest.mark.long
def test_the_same_trouble_again_is_printed_and_not_asked_again(troubled: tuple[ClaudePlace, Any]) -> None:
    place, report = troubled
    before = len(place.stub.requests)

    assert place.ask() == report
    assert len(place.stub.requests) == before
    assert place.rows("SELECT count(*) FROM decisions") == [(5,)]


@pytest.mark.long
@pytest.mark.parametrize(
    ("behaviour", "cause"),
    [
        pytest.param(refuses(), "refused", id="refusal"),
        pytest.param(failures.no_credit(), "billing", id="no-credit"),
        pytest.param(failures.unknown_model(), "model", id="unknown-model"),
        pytest.param(failures.not_signed_in(), "authentication", id="wrong-key"),
        pytest.param(failures.rate_limited(6), "rate_limited", id="429"),
        pytest.param(failures.prompt_too_long(), "too_long", id="too-long"),
        pytest.param(failures.server_error(), "server", id="500"),
    ],
)
def test_a_fault_of_the_api_is_no_view_and_never_the_rules(place: ClaudePlace, behaviour: Any, cause: str) -> None:
    place.hold()
    place.stub.default = behaviour

    report = place.ask()

    assert (causes(report), actions(report), analysts(report)) == ({"AAPL": cause}, {"AAPL": "ABSTAIN"}, {"claude"})
    state = "signed_out" if cause == "authentication" else "unavailable"
    assert (report["claude"]["state"], report["claude"]["cause"].partition(":")[0]) == (state, cause)
    assert place.rows("SELECT DISTINCT outcome FROM claude_questions") == [(cause,)]
    assert place.questions == (3 if cause == "rate_limited" else 1)


@pytest.mark.long
def test_where_claude_falls_silent_it_is_a_time_out_and_the_next_question_is_answered(place: ClaudePlace) -> None:
    place.environment |= {"TROUPE_CLAUDE__SILENCE": "1"}
    place.hold("symbol,quantity,cost\nAAPL,10,100\nIBM,10,100\n")
    place.stub.default = About(AAPL=[Stalls(pings=True)])

    report = place.ask()

    assert causes(report) == {"AAPL": "timeout"}
    assert actions(report)["IBM"] == "BUY"
    assert place.spent == Decimal(report["claude"]["cost_usd"])


@pytest.mark.long
def test_a_429_is_waited_out_and_then_asked_again(place: ClaudePlace) -> None:
    place.hold()
    place.stub.will(failures.rate_limited(6))

    report = place.ask()

    assert (report["claude"]["state"], actions(report)) == ("answered", {"AAPL": "SELL"})
    outcomes = place.rows("SELECT outcome FROM claude_questions ORDER BY asked_at")
    assert outcomes == [("rate_limited",), ("answered",)]
    assert len(place.stub.requests) == 2
    assert place.rows("SELECT state, attempts FROM tasks WHERE type = 'recommendation'") == [("done", 1)]


@pytest.mark.long
def test_an_open_breaker_spares_the_questions_that_follow(place: ClaudePlace) -> None:
    place.stub.default = failures.no_credit()

    report = place.ask()

    assert sorted(causes(report).values()) == ["billing", *["circuit_open"] * 4]
    assert len(place.stub.requests) == 1
    assert place.rows("SELECT state, cause FROM claude_breaker") == [("open", "billing")]


# Where Claude cannot be asked


def untouched(place: ClaudePlace) -> None:
    """Nothing was asked, nothing reserved, nothing decided."""
    assert place.stub.requests == []
    assert place.questions == 0
    assert place.rows("SELECT count(*) FROM decisions") == [(0,)]


def test_with_nobody_signed_in_claude_on_says_what_to_do_and_decides_nothing(place: ClaudePlace) -> None:
    place.sign_out()

    said = refused(place.run("once", "--claude", "on"))

    assert "authentication" in said
    assert "sign in with `claude`, or set ANTHROPIC_API_KEY" in said
    untouched(place)


def test_auto_without_a_terminal_is_off_where_nobody_has_agreed(place: ClaudePlace) -> None:
    report = place.once()

    assert (report["claude"]["state"], analysts(report)) == ("off", {"rules"})
    assert place.stub.requests == []
    assert place.rows("SELECT count(*) FROM claude_consents") == [(0,)]


@pytest.mark.long
def test_auto_asks_once_somebody_has_agreed_to_this_model_and_sum(agreed: ClaudePlace) -> None:
    auto = agreed.run("once", "--json", "--again")
    agreed.environment |= {"TROUPE_CLAUDE__MODEL": "claude-sonnet-4-5"}
    other = agreed.once("--again")
    agreed.environment |= {"TROUPE_CLAUDE__MODEL": "claude-sonnet-5", "TROUPE_CLAUDE__MAX_USD_PER_ROUND": "1.01"}
    dearer = agreed.once("--again")

    assert (auto.json["claude"]["state"], analysts(auto.json)) == ("answered", {"claude"})
    assert (other["claude"]["state"], dearer["claude"]["state"]) == ("off", "off")
    assert len(agreed.stub.requests) == len(SYMBOLS)


@pytest.mark.parametrize(
    "why",
    ["budget", pytest.param("breaker", marks=pytest.mark.long), pytest.param("signed out", marks=pytest.mark.long)],
)
def test_where_claude_cannot_be_asked_auto_is_the_rules_and_says_why_and_on_is_an_error(
    agreed: ClaudePlace, why: str
) -> None:
    cause = hinder(agreed, why)

    auto = agreed.run("once", "--again")
    report = agreed.run("once", "--json", "--again").json
    on = refused(agreed.run("once", "--claude", "on", "--again"))

    assert auto.code == 0
    (line,) = [line for line in auto.out.splitlines() if line.startswith("Recommendations (")]
    assert line.startswith(f"Recommendations ({cause}: ")
    assert report["claude"]["cause"].startswith(f"{cause}: ")
    assert (analysts(report), report["claude"]["cost_usd"]) == ({"rules"}, "0")
    assert report["claude"]["state"] == ("signed_out" if why == "signed out" else "unavailable")
    assert cause in on
    stand_ins = agreed.rows(
        "SELECT DISTINCT payload ->> 'stand_in' FROM decisions WHERE payload ->> 'analyst' = 'rules'"
    )
    assert len(stand_ins) == 1
    assert stand_ins[0][0].startswith(f"{cause}: ")
    assert agreed.stub.requests == []
    assert agreed.questions == len(SYMBOLS)


def hinder(place: ClaudePlace, why: str) -> str:
    """Have Claude not be asked; the cause that is to be seen."""
    match why:
        case "signed out":
            place.sign_out()
            return "authentication"
        case "breaker":
            place.change(
                "INSERT INTO claude_breaker (state, failures, cause, sentence, retry_at, at) "
                f"VALUES ('open', 3, 'overloaded', 'too many ask', {FAR}, 1)"
            )
            return "circuit_open"
        case _:
            place.environment |= {"TROUPE_CLAUDE__MAX_USD_PER_DAY": "0"}
            return "budget"


# Money, models, endpoints


@pytest.mark.parametrize("ceiling", ["ROUND", pytest.param("QUESTION", marks=pytest.mark.long)])
def test_a_ceiling_that_no_question_fits_under_has_nothing_asked(place: ClaudePlace, ceiling: str) -> None:
    place.environment |= {f"TROUPE_CLAUDE__MAX_USD_PER_{ceiling}": "0.01"}

    report = place.ask()

    assert (causes(report), analysts(report)) == (dict.fromkeys(SYMBOLS, "budget"), {"claude"})
    assert set(actions(report).values()) == {"ABSTAIN"}
    assert report["claude"]["cost_usd"] == "0"
    assert place.stub.requests == []


@pytest.mark.long
def test_a_round_ends_at_its_ceiling_and_the_rest_have_no_view(place: ClaudePlace) -> None:
    place.environment |= {"TROUPE_CLAUDE__MAX_USD_PER_ROUND": "0.2095"}

    report = place.ask()

    asked = [symbol for symbol in SYMBOLS if causes(report).get(symbol) != "budget"]
    assert len(place.stub.requests) == len(asked)
    assert 0 < len(asked) < len(SYMBOLS)
    assert place.spent == Decimal(report["claude"]["cost_usd"]) <= Decimal("0.2095")


def test_a_model_without_a_price_is_not_asked(place: ClaudePlace) -> None:
    place.environment |= {"TROUPE_CLAUDE__MODEL": "claude-none-0"}

    said = refused(place.run("once", "--claude", "on"))

    assert "claude-none-0: its price is not known" in said
    untouched(place)


def test_a_negative_budget_is_one_line(place: ClaudePlace) -> None:
    place.environment |= {"TROUPE_CLAUDE__MAX_USD_PER_ROUND": "-1"}

    said = refused(place.run("once", "--claude", "on"))

    assert "TROUPE_CLAUDE__MAX_USD_PER_ROUND = '-1'" in said
    assert "greater than or equal to 0" in said
    assert not (place.home / "desk.sqlite3").exists()


@pytest.mark.long
def test_another_endpoint_that_wants_a_token_serves_as_well(place: ClaudePlace) -> None:
    place.sign_out()
    place.environment |= {"ANTHROPIC_AUTH_TOKEN": "token-of-the-endpoint"}
    place.hold()

    report = place.ask()

    assert report["claude"]["state"] == "answered"
    (request,) = place.stub.requests
    headers = {name.lower(): value for name, value in request.headers.items()}
    assert headers["authorization"] == "Bearer token-of-the-endpoint"
    assert "x-api-key" not in headers
