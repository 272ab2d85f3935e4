"""What the work at hand belongs to: set where work begins, carried from message to message by the kernel."""

from collections.abc import Iterable
from contextvars import ContextVar, Token
from time import time_ns
from typing import Final

from messages.values import CorrelationId

NONE: Final = CorrelationId("")
"""That of what belongs to several requests."""


class Trace:
    """Everything from a request to its last effect: what bears this correlation id.

    `sampled` is whether its messages are recorded, None until the first is handled where any are. Then `span` is the
    number of that of the message at hand, and `since` when that was taken up, in nanoseconds since 1970. `begins` until
    the first of all has been recorded. With `nests` the one message that is told with it stands below the waiting for
    its answer, whose number is `wait`. What serves several requests has no id; they are `also`.
    """

    __slots__ = ("also", "begins", "correlation_id", "nests", "sampled", "since", "span", "wait")

    def __init__(
        self,
        correlation_id: CorrelationId,
        span: int = 0,
        *,
        begins: bool = False,
        nests: bool = False,
        also: tuple["Trace", ...] = (),
    ) -> None:
        self.correlation_id, self.span, self.since = correlation_id, span, time_ns()
        self.begins, self.nests, self.also, self.wait = begins, nests, also, 0
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
    """What these belong to: one request, several, or none."""
    found = {each.correlation_id: each for trace in traces if trace is not None for each in trace.also or (trace,)}
    return Trace(NONE, also=tuple(found.values())) if len(found) > 1 else next(iter(found.values()), None)


def of(*correlation_ids: CorrelationId) -> within:
    """`with of(about):` what is told and asked there belongs to these, below what is at hand if that does."""
    now = TRACE.get()
    known = {} if now is None else {each.correlation_id: each for each in now.also or (now,)}
    return within(shared(known.get(about) or Trace(about) for about in correlation_ids))
