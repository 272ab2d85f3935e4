"""That the benchmarks can be run; what they measure is nobody's pass or fail here."""

import asyncio
import json
import math
import os
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from shutil import which
from typing import Any
from xml.etree import ElementTree

import pytest

from storage import audit
from storage.connections import Reader
from storage.home import Home
from telemetry.tracing import Spans
from tests.benchmarks import queue, trading_start
from tests.benchmarks.__main__ import BENCHMARKS, SMALL, main
from tests.benchmarks.claims_document import writes_after_a_read
from tests.benchmarks.gateway import idle_share
from tests.benchmarks.gateway_faults import FAULTS, ByQuestion, fault_of, prompt_of
from tests.benchmarks.gateway_process import child, programs
from tests.benchmarks.measure import Benchmark, as_json, as_table, run
from tests.benchmarks.picture import LEFT, WIDTH, as_svg
from tests.benchmarks.plot import as_bars
from tests.benchmarks.tracing import Lot
from tests.claude_safely import NOBODY
from tests.stub.client import ask, body, connected, post, stopped
from tests.stub.exchange import Request
from tests.stub.server import Stub


def test_without_a_name_they_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    main([])

    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [
        "kernel", "start", "facts", "gateway", "gateway-faults", "writer", "readers", "queue", "workers", "claims",
        "valuation", "trading", "halting", "telemetry",
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


@pytest.mark.skipif(find_spec("aiosqlite") is None, reason="the dependency group `bench` is not installed")
@pytest.mark.skipif(which("cc") is None, reason="no C compiler is on the path")
@pytest.mark.parametrize("name", ["writer", "readers"])
def test_what_compares_the_database_runs_and_has_its_keys(name: str) -> None:
    medians = run(name, SMALL[name]).medians

    assert list(medians) == list(BENCHMARKS[name].wanted)
    assert all(median > 0 for median in medians.values())


def test_the_keys_of_the_gateways_are_the_documented_ones() -> None:
    assert list(BENCHMARKS["gateway"].wanted) == [
        "idle_over_bare", "idle_named", "time_vs_bare", "memory_mb", "warm_vs_cold", "chunk_ms",
        "chunk_p99_ms", "idle_bare", "idle_bare_named", "cold_s",
    ]  # fmt: skip
    assert list(BENCHMARKS["gateway-faults"].wanted) == [
        "wrong_ends", "left_programs", "memory_growth", "left_directories", "gated",
    ]  # fmt: skip


def test_the_facts_benchmark_runs_and_its_key_is_the_documented_one(capsys: pytest.CaptureFixture[str]) -> None:
    main(["facts", "--quick", "--json"])

    assert list(json.loads(capsys.readouterr().out)["ratios"]) == ["facts_of_talib", "symbol_us"]


def test_the_valuation_benchmark_runs_and_its_key_is_the_documented_one() -> None:
    medians = run("valuation", SMALL["valuation"]).medians

    assert list(medians) == list(BENCHMARKS["valuation"].wanted) == ["valuation_ms", "bare_ms"]
    assert all(median > 0 for median in medians.values())


def test_the_keys_of_the_claims_are_a_row_for_each_promise_and_the_three_ratios_between_the_sides() -> None:
    pairs = ("proposal_vs_present", "troupe_vs_present", "troupe_vs_proposal")
    rows = ("bulk", "mixed", "unasked", "reads", "pool", "chunk")

    assert list(BENCHMARKS["claims"].wanted) == [
        *(f"{row}_{pair}" for row in rows for pair in pairs), "pool_opened", "lock_writes",
    ]  # fmt: skip


def test_the_documents_read_write_lock_lets_no_writer_in_once_there_was_a_reader() -> None:
    assert asyncio.run(writes_after_a_read(0.01)) == 0


def test_the_documents_claims_are_not_measured_without_what_its_design_stands_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def nowhere(_: str) -> None:
        return None

    monkeypatch.setattr("importlib.util.find_spec", nowhere)

    with pytest.raises(SystemExit, match="3"):
        main(["claims", "--quick"])

    assert "--group bench" in capsys.readouterr().err


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Benchmark:
    """A benchmark called `kernel` that costs nothing: a ratio below 1, one above, one without a picture."""
    wanted = {"a_vs_b": "1 or more", "b_vs_c": "for comparison", "c_s": "3 or less", "d_vs_e": "for comparison"}
    rounds = [{"a_vs_b": 0.5, "b_vs_c": 10.0, "c_s": 3.0, "d_vs_e": 0.0}] * 2 + [
        {"a_vs_b": 0.1, "b_vs_c": 200.0, "c_s": 4.0, "d_vs_e": 0.0}
    ]
    benchmark = Benchmark("this & that", wanted, lambda _: iter(rounds), 3)
    monkeypatch.setitem(BENCHMARKS, "kernel", benchmark)
    return benchmark


def test_a_result_is_kept_with_the_machine_and_versions_and_as_a_picture(measured: Benchmark, tmp_path: Path) -> None:
    main(["kernel", "--save", str(tmp_path)])

    found = json.loads((tmp_path / "kernel.json").read_text())
    picture = ElementTree.parse(tmp_path / "kernel.svg").getroot()
    assert found["ratios"] == {"a_vs_b": 0.5, "b_vs_c": 10.0, "c_s": 3.0, "d_vs_e": 0.0}
    assert found["spread"]["b_vs_c"] == [10.0, 200.0]
    assert found["machine"]["cores"] == os.cpu_count()
    assert {"pykka", "apsw", "sqlite"} <= set(found["versions"])
    assert found["quick"] is False
    texts = [each.text for each in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert [text for text in texts if text and "_vs_" in text] == ["a_vs_b", "b_vs_c"]
    assert {"kernel: this & that", "0.5", "10", "0.1", "1000"} <= set(texts)


def test_bars_of_a_picture_begin_at_one_and_end_at_the_median_on_a_logarithmic_scale(measured: Benchmark) -> None:
    picture = ElementTree.fromstring(as_svg(run("kernel", measured), measured))

    slower, faster = [
        (float(each.attrib["x"]), float(each.attrib["x"]) + float(each.attrib["width"]))
        for each in picture.iter("{http://www.w3.org/2000/svg}rect")
        if "x" in each.attrib
    ]
    one = LEFT + WIDTH / 4  # from 0.1 to 1000
    assert slower == pytest.approx((one + WIDTH / 4 * math.log10(0.5), one), abs=0.2)
    assert faster == pytest.approx((one, LEFT + WIDTH / 2), abs=0.2)


def test_the_workers_benchmark_runs_and_its_keys_are_the_documented_ones() -> None:
    medians = run("workers", SMALL["workers"]).medians

    assert list(medians) == list(BENCHMARKS["workers"].wanted) == [
        "waits16_of_ideal", "waits64_of_ideal", "dispatch_us", "python_of_forked", "writer_p99_beside_waits",
        "writer_p99_beside_numbers", "writer_p99_beside_python", "writer_p99_ms",
    ]  # fmt: skip
    assert all(median > 0 for median in medians.values())


@pytest.mark.skipif(which("cc") is None, reason="no C compiler is on the path")
def test_the_trading_benchmark_runs_and_its_keys_are_the_documented_ones() -> None:
    medians = run("trading", SMALL["trading"]).medians

    assert list(medians) == list(BENCHMARKS["trading"].wanted)
    assert list(medians)[:3] == ["risk_us", "orders_per_s", "start_100k_s"]
    assert all(median > 0 for median in medians.values())


def test_the_made_up_past_of_a_desk_is_as_a_desk_would_have_it(home: Home) -> None:
    trading_start.fill(home, 300)
    read = Reader(home.database)

    assert audit.audit(read) is None
    assert read.rows(tuple[int], "SELECT count(*) FROM ledger_entries")[0][0] > 2_400
    assert Counter(state for (state,) in read.rows(tuple[str], "SELECT state FROM trading_orders")) == {
        "filled": 250, "working": 50,
    }  # fmt: skip


def test_the_halting_benchmark_runs_and_its_keys_are_the_documented_ones() -> None:
    medians = run("halting", SMALL["halting"]).medians

    assert list(medians) == list(BENCHMARKS["halting"].wanted) == ["halt_ms", "late", "orders_s"]
    assert medians["late"] == 0


def test_the_telemetry_benchmark_runs_and_its_keys_are_the_documented_ones() -> None:
    medians = run("telemetry", SMALL["telemetry"]).medians

    assert list(medians) == list(BENCHMARKS["telemetry"].wanted) == ["scrape_ms", "series", "traced_percent"]
    assert 500 < medians["series"] < 2_000


def test_what_traces_cost_is_seen_where_one_request_in_a_hundred_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, real = list[object](), Spans.begin

    def begin(self: Spans, *arguments: Any) -> None:
        begun.append(self)
        real(self, *arguments)

    monkeypatch.setattr(Spans, "begin", begin)
    lots = [Lot(tmp_path / name, sample) for name, sample in (("untraced", 0.0), ("traced", 0.01))]
    before = len(begun)
    for lot in lots:
        lot.work()
        lot.stop()

    assert len(begun) - before > 4  # of two tasks: submitted, claimed, run, done


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


def test_the_keys_of_the_queue_begin_with_those_that_are_wanted() -> None:
    assert list(BENCHMARKS["queue"].wanted)[:4] == [
        "queue_pipelined_vs_best", "queue_single_vs_best", "million_claim_vs_thousand", "million_memory_mb",
    ]  # fmt: skip


def test_the_queues_of_the_benchmark_do_all_their_tasks(tmp_path: Path) -> None:
    assert queue.one_at_a_time(tmp_path / "single", 5) > 0
    assert queue.pipelined(tmp_path / "pipelined", 50) > 0


@pytest.mark.long
def test_the_queues_benchmark_fills_and_claims(tmp_path: Path) -> None:
    [figures] = queue.in_child({"million": 5_000, "claims": 60}, tmp_path, 1)

    assert {"million_claim_vs_thousand", "million_memory_mb"} <= figures.keys()


@pytest.mark.soak
def test_the_gateways_benchmark_runs_with_the_real_program() -> None:
    result = run("gateway", SMALL["gateway"])

    assert list(result.medians) == list(BENCHMARKS["gateway"].wanted)


@pytest.mark.soak
@pytest.mark.skipif(find_spec("aiosqlite") is None, reason="needs the dependency group bench")
def test_the_documents_claims_can_be_measured() -> None:
    result = run("claims", SMALL["claims"])

    assert list(result.medians) == list(BENCHMARKS["claims"].wanted)
    assert result.medians["lock_writes"] == 0
    assert result.medians["pool_opened"] >= 8


@pytest.mark.soak
def test_questions_with_faults_end_once_with_their_cause_and_leave_no_program() -> None:
    medians = run("gateway-faults", SMALL["gateway-faults"]).medians

    assert (medians["wrong_ends"], medians["left_programs"]) == (0, 0)
