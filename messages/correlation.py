"""What the work at hand belongs to: set where work begins, carried from message to message by the kernel."""

from collections.abc import Iterable
from contextvars import ContextVar, Token
from time import time_ns
from typing import Final

from messages.values import CorrelationId


class Trace:
    """Everything from a request to its last effect: what bears this correlation id.

    `sampled` is whether its messages are recorded, None until the first is handled where any are. Then `span` is the
    number of that of the message at hand, and `since` when that was taken up, in nanoseconds since 1970.
    """

    __slots__ = ("correlation_id", "sampled", "since", "span")

    def __init__(self, correlation_id: CorrelationId, span: int = 0) -> None:
        self.correlation_id, self.span, self.since = correlation_id, span, time_ns()
        self.sampled: bool | None = True if span else None


TRACE: Final = ContextVar[Trace | None]("trace", default=None)
"""That of the work at hand; None where it belongs to no request, such as looking after the log."""


class within:  # noqa: N801, it reads as the `with` that it stands in
    """`with within(trace):` what is told and asked there belongs to it, or to nothing with None."""

    __slots__ = ("_before", "_trace")
    _before: Token[Trace | None]

    def __init__(self, trace: Trace | None) -> None:
        self._trace = trace

    def __enter__(self) -> None:
        self._before = TRACE.set(self._trace)

    def __exit__(self, *_: object) -> None:
        TRACE.reset(self._before)


def shared(traces: Iterable[Trace | None]) -> Trace | None:
    """What all of these belong to, if that is one request; a batch of several requests belongs to none of them."""
    found = {None if trace is None else trace.correlation_id: trace for trace in traces}
    return next(iter(found.values())) if len(found) == 1 else None
