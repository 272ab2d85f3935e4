"""What the work at hand belongs to: set where work begins, carried from message to message by the kernel."""

from collections.abc import Iterable
from contextvars import ContextVar, Token
from typing import Final

from messages.values import CorrelationId


class Trace:
    """Everything from a request to its last effect: what bears this correlation id."""

    __slots__ = ("correlation_id",)

    def __init__(self, correlation_id: CorrelationId) -> None:
        self.correlation_id = correlation_id


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
