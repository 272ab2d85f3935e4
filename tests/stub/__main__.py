"""`python -m tests.stub --port 8765` serves until interrupted; its address is the first line on standard output."""

import argparse
import contextlib
from collections.abc import Sequence
from threading import Event

from tests.stub.analyst import Analyst
from tests.stub.faults import FAULTS, Every
from tests.stub.server import Stub


def parser() -> argparse.ArgumentParser:
    """Its arguments."""
    made = argparse.ArgumentParser("python -m tests.stub", description="A stub of the Messages API on 127.0.0.1.")
    made.add_argument("--port", type=int, default=0, help="0, as without it, is any free one")
    made.add_argument("--seconds", type=float, default=1.0, help="that an answer takes, default 1")
    made.add_argument("--fault", action="append", choices=FAULTS, metavar="NAME", help="one of " + ", ".join(FAULTS))
    made.add_argument(
        "--every", type=int, metavar="N", help="fault in every Nth request, else in each; any if none is named"
    )
    made.add_argument("--seed", type=int, default=0, help="which faults are picked, default 0")
    return made


def stub(arguments: Sequence[str] | None = None) -> Stub:
    """The stub that the arguments ask for, not serving yet."""
    asked = parser().parse_args(arguments)
    analyst = Analyst(asked.seconds)
    if asked.fault is None and asked.every is None:
        return Stub(analyst, port=asked.port)
    faults = [FAULTS[name]() for name in asked.fault or FAULTS]
    return Stub(Every(asked.every or 1, faults, analyst, seed=asked.seed), port=asked.port)


def main() -> None:
    """Serve until interrupted."""
    with stub() as running, contextlib.suppress(KeyboardInterrupt):
        print(running.address, flush=True)
        Event().wait()


if __name__ == "__main__":
    main()
