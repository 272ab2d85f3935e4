"""`python -m tests.benchmarks` lists them, `… NAME` runs one and prints a table, `… NAME --json` one object.

`--plot` prints bars below the table; `--save DIRECTORY` keeps the result there, as NAME.json and NAME.svg; `--quick`
runs small sizes once, to see that it works: no figures to keep.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks import (
    claims,
    facts,
    gateway,
    gateway_faults,
    halting,
    kernel,
    queue,
    readers,
    start,
    telemetry,
    trading,
    valuation,
    workers,
    writer,
)
from tests.benchmarks.measure import Benchmark, as_json, as_table, kept, run
from tests.benchmarks.picture import as_svg
from tests.benchmarks.plot import as_bars

BENCHMARKS: dict[str, Benchmark] = {
    "kernel": kernel.KERNEL,
    "start": start.START,
    "facts": facts.FACTS,
    "gateway": gateway.GATEWAY,
    "gateway-faults": gateway_faults.GATEWAY_FAULTS,
    "writer": writer.WRITER,
    "readers": readers.READERS,
    "queue": queue.QUEUE,
    "workers": workers.WORKERS,
    "claims": claims.CLAIMS,
    "valuation": valuation.VALUATION,
    "trading": trading.TRADING,
    "halting": halting.HALTING,
    "telemetry": telemetry.TELEMETRY,
}
SMALL: dict[str, Benchmark] = {
    "facts": facts.SMALL,
    "gateway": gateway.SMALL,
    "gateway-faults": gateway_faults.SMALL,
    "writer": writer.SMALL,
    "readers": readers.SMALL,
    "queue": queue.SMALL,
    "workers": workers.SMALL,
    "claims": claims.SMALL,
    "valuation": valuation.SMALL,
    "trading": trading.SMALL,
    "halting": halting.SMALL,
    "telemetry": telemetry.SMALL,
}
"""With smaller sizes, where there are any."""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser("python -m tests.benchmarks", description="Without a name: list them.")
    parser.add_argument("name", nargs="?", choices=BENCHMARKS)
    parser.add_argument("--json", action="store_true", help="print one object instead of a table")
    parser.add_argument("--plot", action="store_true", help="print bars below the table")
    parser.add_argument("--save", type=Path, metavar="DIRECTORY", help="keep it there, as NAME.json and NAME.svg")
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
    if chosen.save is not None:
        place = Path(chosen.save)
        (place / f"{name}.json").write_text(kept(result, quick=chosen.quick))
        (place / f"{name}.svg").write_text(as_svg(result, benchmark))
    if chosen.plot and not chosen.json:
        print(f"\n{as_bars(result, benchmark)}")


if __name__ == "__main__":
    main()
