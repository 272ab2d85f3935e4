"""`python -m tests.benchmarks` lists them, `… NAME` runs one and prints a table, `… NAME --json` one object."""

import argparse
from collections.abc import Sequence

from tests.benchmarks.kernel import KERNEL
from tests.benchmarks.measure import Benchmark, as_json, as_table, run
from tests.benchmarks.start import START

BENCHMARKS: dict[str, Benchmark] = {"kernel": KERNEL, "start": START}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser("python -m tests.benchmarks", description="Without a name: list them.")
    parser.add_argument("name", nargs="?", choices=BENCHMARKS)
    parser.add_argument("--json", action="store_true", help="print one object instead of a table")
    chosen = parser.parse_args(arguments)
    if chosen.name is None:
        for name, benchmark in BENCHMARKS.items():
            print(f"{name:<10} {benchmark.about}; {', '.join(benchmark.wanted)}")
        return
    name, benchmark = str(chosen.name), BENCHMARKS[str(chosen.name)]
    result = run(name, benchmark)
    print(as_json(result) if chosen.json else as_table(result, benchmark))


if __name__ == "__main__":
    main()
