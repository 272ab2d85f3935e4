"""What a person sees of a trace."""

import datetime as dt
from collections.abc import Iterable
from typing import Final

from actors.console.terminal import line
from actors.console.trace import Step, Trace

TIME: Final = "%m-%d %H:%M:%S.%f"


def print_trace(trace: Trace) -> None:
    """The tree: when each step could begin, how long it took, and, further in, what is due to it."""
    took = "goes on" if trace.ended_at is None else f"{(trace.ended_at - trace.at) / 1e6:.3f} s"
    line(f"Trace {trace.correlation_id}, times in UTC, {took}")
    _print(trace.steps, 0)


def _print(steps: Iterable[Step], depth: int) -> None:
    for step in steps:
        took = "goes on" if step.seconds is None else f"{step.seconds:.3f} s" if step.seconds else ""
        at = dt.datetime.fromtimestamp(step.at / 1e6, dt.UTC).strftime(TIME)[:-3]
        line(f"{at}  {took:>11}  {'  ' * depth}{step.what} {step.id}: {step.said}")
        _print(step.steps, depth + 1)
