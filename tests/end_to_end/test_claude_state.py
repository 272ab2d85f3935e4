"""`claude`, `doctor`, `grounding` and the metrics, with the real program and the stub."""

import socket
import urllib.request
from signal import SIGTERM

import pytest

from tests.claude_safely import environment
from tests.end_to_end.places import NOTICE, Place, until
from tests.stub import failures
from tests.stub.server import Stub
from tests.telemetry.scraping import Scrape

DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))

MODEL = "claude-sonnet-5"


@pytest.fixture
def asking(sample: Place, claude_api: Stub) -> Place:
    """A sample desk whose Claude is the stub."""
    sample.environment |= environment(claude_api.address, sample.path)
    return sample


def test_the_doctor_asks_nothing_spends_nothing_and_leaves_nothing(asking: Place, claude_api: Stub) -> None:
    before = asking.tables("trading_days")

    ended = asking.run("doctor", "--json")

    verdicts = {check["name"]: check["verdict"] for check in ended.json["checks"]}
    assert ended.code == 0
    assert {name for name, verdict in verdicts.items() if verdict != "ok"} <= {"consent", "disk"}
    assert verdicts["login"] == "ok"
    assert (claude_api.requests, claude_api.asides) == ([], [])
    assert asking.tables("trading_days") == before
    assert asking.children == []


def test_the_doctor_exits_with_one_where_claude_is_wanted_and_nobody_is_signed_in(asking: Place) -> None:
    asking.change("INSERT INTO claude_consents (at, model, usd_per_round) VALUES (0, 'claude-sonnet-5', 1000000000)")
    del asking.environment["ANTHROPIC_API_KEY"]

    ended = asking.run("doctor")

    assert ended.code == 1
    (line,) = [line for line in ended.out.splitlines() if line.startswith("error")]
    assert line.startswith(
        "error    login     nobody is signed in to Claude; sign in with `claude`, or set ANTHROPIC_API_KEY"
    )


@pytest.mark.long
def test_the_doctor_looks_at_a_desk_that_serves_and_at_none_at_all(asking: Place) -> None:
    program = asking.serve()
    beside = asking.run("doctor")
    nowhere = asking.run("doctor", "--home", "nowhere")

    assert (beside.code, nowhere.code) == (0, 0)
    assert f"held by process {program.pid}" in beside.out
    assert "nowhere does not exist" in nowhere.out
    assert not (asking.path / "nowhere").exists()


@pytest.mark.long
def test_claude_shows_an_open_breaker_and_a_reset_closes_it_beside_a_desk_and_without(
    asking: Place, claude_api: Stub
) -> None:
    claude_api.default = failures.no_credit()
    asking.run("once", "--claude", "on")
    opened = asking.run("claude")
    shown = asking.run("claude", "--json").json
    alone = asking.run("claude", "--reset", "--json")
    claude_api.will(failures.no_credit())
    asking.run("once", "--again", "--claude", "on")
    program = asking.serve()
    still = asking.run("claude", "--json").json
    beside = asking.run("claude", "--reset", "--json")
    until(lambda: "Claude can be asked again" in program.err, "whoever watches the desk is told")
    program.send(SIGTERM)
    program.wait()

    assert opened.out.splitlines()[0] == NOTICE
    assert "Breaker: open, until " in opened.out
    assert "(billing): Claude's account has no credit" in opened.out
    assert (shown["breaker"]["state"], shown["breaker"]["cause"], shown["live"]) == ("open", "billing", None)
    assert {failure["cause"] for failure in shown["failures"]} == {"billing"}
    assert (alone.code, alone.json["breaker"]["state"]) == (0, "closed")
    assert (still["breaker"]["state"], still["live"]["programs"]) == ("open", [])
    assert (beside.code, beside.json["breaker"]["state"]) == (0, "closed")
    states = [state for (state,) in asking.rows("SELECT state FROM claude_breaker ORDER BY number")]
    assert states == ["open", "closed", "open", "closed"]


def test_claude_needs_a_desk_and_makes_none(place: Place) -> None:
    for option in ((), ("--reset",)):
        ended = place.run("claude", *option)

        assert ended.code == 1
        (line,) = ended.lines
        assert "no desk has run here yet" in line
    assert not place.home.exists()


@pytest.mark.long
def test_the_grounding_is_measured_with_a_home_and_without(asking: Place) -> None:
    without = asking.run("grounding", "--json", "--home", "nowhere")
    before = asking.run("grounding", "--json")
    asking.run("once", "--claude", "on")
    after = asking.run("grounding", "--json")

    assert [ended.code for ended in (without, before, after)] == [0, 0, 0]
    assert without.json == before.json
    assert (without.json["good"] >= 40, without.json["bad"] >= 40, without.json["false_accepts"]) == (True, True, [])
    assert without.json["abstain_rate"] is None
    assert (after.json["decisions"], after.json["abstained"], after.json["abstain_rate"]) == (5, 1, 0.2)


@pytest.mark.long
def test_metrics_of_a_desk_that_serves_say_what_was_asked_and_go_on_after_a_restart(
    asking: Place, claude_api: Stub
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    asking.environment["TROUPE_METRICS__PORT"] = str(port)

    def scrape() -> Scrape:
        with DIRECT.open(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            return Scrape(answer.read().decode())

    program = asking.serve()
    asking.run("once", "--claude", "on")
    first = scrape()
    program.send(SIGTERM)
    program.wait()
    asking.serve()
    second = scrape()

    ((cost,),) = asking.rows("SELECT sum(cost) FROM claude_questions")
    for each in (first, second):
        about = {"purpose": "recommendation", "model": MODEL}
        assert each("claude_queries_total", **about, outcome="answered") == 5
        assert each("claude_query_duration_seconds_count", **about, outcome="answered") == 5
        assert each("claude_query_wait_seconds_count", purpose="recommendation") == 5
        assert each("gen_ai_client_operation_time_to_first_chunk_seconds_count", gen_ai_request_model=MODEL) == 5
        assert each("gen_ai_client_inference_usage_output_tokens_total", gen_ai_request_model=MODEL) > 0
        assert each("claude_cost_usd_total", **about) == pytest.approx(cost / 1e9)
        assert each("claude_circuit_state", state="closed") == 1
        assert each("claude_abstain_ratio") == 0.2
        assert each("event_bus_delivered_total", event="claude.BreakerChanged", subscriber="notifier") == 0
        assert each("claude_grounding_false_accept_ratio") == 0


@pytest.mark.long
def test_why_shows_the_model_the_cost_and_the_checks_and_in_json_what_was_said(asking: Place) -> None:
    report = asking.run("once", "--claude", "on", "--json").json
    (id_,) = [each["id"] for each in report["recommendations"] if each["symbol"] == "AAPL"]

    shown, found = asking.run("why", id_), asking.run("why", id_, "--json").json

    assert "Claude, claude-sonnet-5: 1 question, 0.00" in shown.out
    assert "answer 1: passed all checks" in shown.out
    assert "symbol: AAPL" in found["inquiry"]["prompts"][0]
    assert '"action"' in found["inquiry"]["answers"][0]
    assert found["system"].startswith("You are the analyst of a trading desk.")
    assert [each["outcome"] for each in found["questions"]] == ["answered"]
