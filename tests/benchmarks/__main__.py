"""`python -m tests.benchmarks` lists them, `… NAME` runs one and prints a table, `… NAME --json` one object.

`--plot` prints bars below the table; `--quick` runs small sizes once, to see that it works: no figures to keep.
"""

import argparse
from collections.abc import Sequence

from tests.benchmarks import gateway, gateway_faults, workers
from tests.benchmarks.gateway import GATEWAY
from tests.benchmarks.gateway_faults import GATEWAY_FAULTS
from tests.benchmarks.kernel import KERNEL
from tests.benchmarks.measure import Benchmark, as_json, as_table, run
from tests.benchmarks.plot import as_bars
from tests.benchmarks.start import START
from tests.benchmarks.workers import WORKERS

BENCHMARKS: dict[str, Benchmark] = {
    "kernel": KERNEL,
    "start": START,
    "gateway": GATEWAY,
    "gateway-faults": GATEWAY_FAULTS,
    "workers": WORKERS,
}
SMALL: dict[str, Benchmark] = {
    "gateway": gateway.SMALL,
    "gateway-faults": gateway_faults.SMALL,
    "workers": workers.SMALL,
}
"""With smaller sizes, where there are any."""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser("python -m tests.benchmarks", description="Without a name: list them.")
    parser.add_argument("name", nargs="?", choices=BENCHMARKS)
    parser.add_argument("--json", action="store_true", help="print one object instead of a table")
    parser.add_argument("--plot", action="store_true", help="print bars below the table")
    parser.add_argument("--quick", action="store_true", help="small sizes, once, to see that it works")
    parser.add_argument("--repeats", type=int, help="so many instead of as many as it asks for")
    chosen = parser.parse_args(arguments)
    if chosen.name is None:
        for name, benchmark in BENCHMARKS.items():
            print(f"{name:<15} {benchmark.about}; {', '.join(benchmark.wanted)}")
        return
    name = str(chosen.name)
    benchmark = SMALL.get(name, BENCHMARKS[name]) if chosen.quick else BENCHMARKS[name]
    result = run(name, benchmark, 1 if chosen.quick else chosen.repeats)
    print(as_json(result) if chosen.json else as_table(result, benchmark))
    if chosen.plot and not chosen.json:
        print(f"\n{as_bars(result, benchmark)}")


if __name__ == "__main__":
    main()
