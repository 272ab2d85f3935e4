"""That the benchmarks can be run; what they measure is nobody's pass or fail here."""

import json
import os
from pathlib import Path

import pytest

from tests.benchmarks.__main__ import BENCHMARKS, SMALL, main
from tests.benchmarks.gateway import idle_share
from tests.benchmarks.gateway_faults import FAULTS, ByQuestion, fault_of, prompt_of
from tests.benchmarks.gateway_process import child, programs
from tests.benchmarks.measure import Benchmark, as_json, as_table, run
from tests.benchmarks.plot import as_bars
from tests.claude_safely import NOBODY
from tests.stub.client import ask, body, connected, post, stopped
from tests.stub.exchange import Request
from tests.stub.server import Stub


def test_without_a_name_they_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    main([])

    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [
        "kernel", "start", "gateway", "gateway-faults", "workers",
    ]  # fmt: skip


def test_a_name_that_is_none_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["kernels"])

    assert "invalid choice: 'kernels'" in capsys.readouterr().err


def test_the_kernels_json_has_its_keys_with_median_and_spread() -> None:
    result = json.loads(as_json(run("kernel", BENCHMARKS["kernel"], repeats=2)))

    assert result["name"] == "kernel"
    assert list(result["ratios"]) == list(result["spread"]) == ["tell_vs_pykka", "instrumentation_us"]
    for key, median in result["ratios"].items():
        low, high = result["spread"][key]
        assert low <= median <= high


def test_the_table_shows_median_lowest_highest_and_what_is_wanted() -> None:
    benchmark = Benchmark("", {"a_s": "3 or less"}, lambda _: iter([{"a_s": 9.0}, {"a_s": 1.0}, {"a_s": 2.0}]), 3)

    row = as_table(run("some", benchmark), benchmark).splitlines()[1]

    assert row.split() == ["a_s", "2.000", "1.000", "9.000", "3", "or", "less"]


def test_the_keys_of_start_are_the_documented_ones() -> None:
    assert list(BENCHMARKS["start"].wanted) == ["once_s", "once_mb", "help_s"]


def test_the_keys_of_the_gateways_are_the_documented_ones() -> None:
    assert list(BENCHMARKS["gateway"].wanted) == [
        "idle_over_bare", "idle_named", "time_vs_bare", "memory_mb", "warm_vs_cold", "chunk_ms",
        "chunk_p99_ms", "idle_bare", "idle_bare_named", "cold_s",
    ]  # fmt: skip
    assert list(BENCHMARKS["gateway-faults"].wanted) == [
        "wrong_ends", "left_programs", "memory_growth", "left_directories", "gated",
    ]  # fmt: skip


def test_the_workers_benchmark_runs_and_its_keys_are_the_documented_ones() -> None:
    medians = run("workers", SMALL["workers"]).medians

    assert list(medians) == list(BENCHMARKS["workers"].wanted) == [
        "waits16_of_ideal", "waits64_of_ideal", "dispatch_us", "python_of_forked", "writer_p99_beside_waits",
        "writer_p99_beside_numbers", "writer_p99_beside_python", "writer_p99_ms",
    ]  # fmt: skip
    assert all(median > 0 for median in medians.values())


def test_bars_stand_against_what_is_wanted_and_figures_for_comparison_have_none() -> None:
    wanted = {"a_s": "4 or less", "b_s": "for comparison"}
    benchmark = Benchmark("", wanted, lambda _: iter([{"a_s": 1.0, "b_s": 1.0}, {"a_s": 3.0, "b_s": 1.0}]), 2)

    (bar,) = as_bars(run("some", benchmark), benchmark).splitlines()

    assert bar.split() == ["a_s", "█" * 12 + "░" * 6, "|", "2,", "wanted", "4", "or", "less"]


def test_the_idle_share_is_the_time_between_first_and_last_in_which_nothing_is_in_flight() -> None:
    spans = [(10.0, 11.0), (12.0, 14.0), (13.0, 13.5), (15.0, 20.0)]

    share = idle_share([Request({}, {}, "", begun, ended) for begun, ended in spans])

    assert share == pytest.approx(0.2)


def test_every_third_question_meets_a_fault_and_each_fault_is_met() -> None:
    faults = [fault_of(number, 3) for number in range(1, 1001)]

    assert faults == [fault_of(number, 3) for number in range(1, 1001)] != [fault_of(n, 4) for n in range(1, 1001)]
    assert all((fault is not None) == (number % 3 == 0) for number, fault in enumerate(faults, 1))
    assert {fault.name for fault in faults if fault} == {fault.name for fault in FAULTS}


def test_a_fault_stays_with_its_question_unless_it_is_one_that_passes(claude_api: Stub) -> None:
    claude_api.default = ByQuestion(3)
    numbers = {fault.name: number for number in range(3, 1000, 3) if (fault := fault_of(number, 3)) is not None}

    def status(number: int) -> int:
        with connected(claude_api) as connection:
            return post(connection, body(prompt_of(number))).status

    assert stopped(ask(claude_api, body(prompt_of(1)))) == "tool_use"
    assert [status(numbers["overloaded"]) for _ in range(3)] == [529, 529, 529]
    assert [status(numbers["overloaded once"]) for _ in range(3)] == [529, 200, 200]


def test_a_child_refuses_an_address_that_is_not_loopback(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def elsewhere(_: str, home: Path) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "HOME": str(home), "ANTHROPIC_BASE_URL": "https://example.invalid"}

    monkeypatch.setattr("tests.benchmarks.gateway_process.environment", elsewhere)

    with pytest.raises(SystemExit, match="NotLoopback"):
        child("gateway_desk", {"work": "line"}, NOBODY, tmp_path, 60)
    assert programs(tmp_path) == []


@pytest.mark.soak
def test_the_gateways_benchmark_runs_with_the_real_program() -> None:
    result = run("gateway", SMALL["gateway"])

    assert list(result.medians) == list(BENCHMARKS["gateway"].wanted)


@pytest.mark.soak
def test_questions_with_faults_end_once_with_their_cause_and_leave_no_program() -> None:
    medians = run("gateway-faults", SMALL["gateway-faults"]).medians

    assert (medians["wrong_ends"], medians["left_programs"]) == (0, 0)
