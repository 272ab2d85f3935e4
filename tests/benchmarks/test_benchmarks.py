"""That the benchmarks can be run; what they measure is nobody's pass or fail here."""

import json

import pytest

from tests.benchmarks.__main__ import BENCHMARKS, main
from tests.benchmarks.measure import Benchmark, as_json, as_table, run


def test_without_a_name_they_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    main([])

    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["kernel", "start"]


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
