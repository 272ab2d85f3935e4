"""Traces: spans of the messages that belong to one request, which the kernel tells of, and where they are sent."""

import contextvars
import logging
import re
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from random import getrandbits
from time import time_ns
from types import MappingProxyType
from typing import Any, Final, Literal, Protocol, TextIO

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from messages.correlation import NONE, TRACE, Trace
from messages.errors import TroupeError

QUEUE: Final = 2_048
"""Spans that wait to be sent at most; what comes beyond that, the oldest is lost for."""
EVERY: Final = 2.0
"""Seconds between two sendings."""
PATIENCE: Final = 1.0
"""Seconds that a stop waits until what is left has been sent."""
SENT_WITHIN: Final = 5.0
"""Seconds an endpoint may take to answer; then what was sent is lost, and later spans are tried."""
SAID_EVERY: Final = 600.0
"""Seconds between two lines of the log that say that spans are lost."""
BEGUN: Final = 1_000
"""Traces of which it is known that they have begun."""
MOST_LINKS: Final = 128
"""Of a batch, to the other messages in it."""
NOBODY: Final = MappingProxyType[str, str]({})
_SCOPE: Final = InstrumentationScope("troupe")
_TRACE_ID: Final = re.compile("(?!0{32})[0-9a-f]{32}")


class CannotExport(TroupeError):
    """Traces cannot be sent where they are to go."""


class Post(Protocol):
    """A message on its way, as the kernel shows it; an answer may be a refusal, too."""

    @property
    def context(self) -> contextvars.Context:
        """Its sender's; what its handler tells carries it on."""
        ...

    @property
    def message(self) -> object:
        """What was told."""
        ...

    @property
    def slot(self) -> Any:
        """None, unless it is an answer."""
        ...


class Span:
    """One that is, or was, open. On the desk's threads it is no more than this: one of the SDK's costs them 30 µs."""

    __slots__ = ("actor", "answer", "correlation_id", "error", "id", "links", "message", "parent", "since", "until")
    context: Final = SpanContext(1, 1, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    """All that the SDK's queue looks at: that it was chosen."""

    def __init__(
        self, trace: Trace, parent: int, actor: str, message: type[object], since: int, until: int = 0
    ) -> None:
        self.correlation_id, self.parent, self.id = trace.correlation_id, parent, getrandbits(64) or 1
        self.actor, self.message, self.since, self.until = actor, message, since, until
        self.answer = bool(until)
        self.links: list[Span] | None = None
        self.error: type[object] | None = None

    @property
    def place(self) -> SpanContext:
        """By what the SDK knows it."""
        return _place(self.correlation_id, self.id)

    def made(self, resource: Resource) -> ReadableSpan:
        """As the SDK has it. Of what was raised only the type is told: its text may hold anything.

        What begins anew, such as a task, of which no more is stored than what it belongs to, stands below the first.
        """
        message, root = self.message.__name__, first(self.correlation_id)
        parent = self.parent or (root if self.id != root else 0)
        return ReadableSpan(
            f"{self.actor} waits for {message}" if self.answer else f"{self.actor} {message}",
            self.place,
            _place(self.correlation_id, parent) if parent else None,
            resource,
            {"actor": self.actor, "message": message},
            links=[Link(other.place) for other in self.links or ()],
            kind=SpanKind.CLIENT if self.answer else SpanKind.INTERNAL,
            status=Status() if self.error is None else Status(StatusCode.ERROR, self.error.__name__),
            start_time=self.since,
            end_time=self.until,
            instrumentation_scope=_SCOPE,
        )


def first(correlation_id: str) -> int:
    """The span that a trace begins with. It follows from the id, so it need not be stored to be known."""
    return int(correlation_id[:16], 16) or 1


def _parts(trace: Trace) -> tuple[Trace, ...]:
    return trace.also or (trace,)


def _place(correlation_id: str, span: int) -> SpanContext:
    return SpanContext(int(correlation_id, 16), span, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))


class Made(SpanExporter):
    """Makes the SDK's spans of ours, on the thread that sends them; those that found no room are never made."""

    def __init__(self, exporter: SpanExporter, identity: Mapping[str, str]) -> None:
        self._exporter, self._resource = exporter, Resource({"service.name": "troupe", **identity})

    def shutdown(self) -> None:
        """The other's."""
        self._exporter.shutdown()

    def export(self, spans: Sequence[Any]) -> SpanExportResult:
        """Hand them on."""
        return self._exporter.export([span.made(self._resource) for span in spans])


class Spans:
    """A span for each message that is handled, below that of its sender; a trace id is a correlation id.

    A trace is recorded whole or not at all, which its id decides, for all processes and restarts alike: of all ids a
    share of `sample`, as OpenTelemetry's TraceIdRatioBased has it. Of a request the answer's span stands below another,
    which lasts from when the asker was told what it asked for until the answer is there.
    """

    def __init__(self, exporter: SpanExporter, sample: float, identity: Mapping[str, str] = NOBODY) -> None:
        bound = TraceIdRatioBased.get_bound_for_rate(sample)
        self._bound = f"{bound:016x}" if bound <= TraceIdRatioBased.TRACE_ID_LIMIT else "g"  # above all digits
        self._exporter = exporter
        _seldom("opentelemetry.sdk._shared_internal")  # where there is no room it says so on the thread of an actor
        self._processor: Any = BatchSpanProcessor(
            Made(exporter, identity), max_queue_size=QUEUE, schedule_delay_millis=EVERY * 1000
        )
        self._roots = dict[str, object]()
        self._keep: Any = self._processor.on_end  # it takes ours for the SDK's

    def takes(self, trace: Trace) -> bool:
        """See the kernel's hooks."""
        if (sampled := trace.sampled) is None:
            id_ = trace.correlation_id
            if trace.also:
                sampled = any(map(self.takes, trace.also))
            else:  # as text, since most are left out; a talk may have any name, and that of settlements is no trace's
                sampled = id_[16:] < self._bound and _TRACE_ID.fullmatch(id_) is not None
            trace.sampled = sampled
        return sampled

    def begin(self, opened: list[Span], actor: str, posts: Iterable[Post], /) -> None:
        """See the kernel's hooks. What is told meanwhile carries the span, with the message's context."""
        for post in posts:
            trace = post.context.get(TRACE)
            if trace is None or not self.takes(trace):
                continue
            parts = [self._begun(opened, actor, post, each, trace.since) for each in filter(self.takes, _parts(trace))]
            post.context.run(TRACE.set, Trace(NONE, also=tuple(parts)) if trace.also else parts[0])

    def _begun(self, opened: list[Span], actor: str, post: Post, trace: Trace, since: int) -> Trace:
        now, kind, parent = time_ns(), type(post.message), trace.span
        if post.slot is not None:
            waited = Span(trace, parent, actor, kind, since, now)
            waited.id = trace.wait or waited.id
            self._keep(waited)
            parent = waited.id
        elif trace.nests:
            trace.wait = parent = getrandbits(64) or 1
        span = Span(trace, parent, actor, kind, now)
        if trace.begins and self._is_first(trace):
            span.id = first(trace.correlation_id)
        if opened and len(opened) <= MOST_LINKS:  # a batch: the first with all others, each of these with the first
            one = opened[0]
            one.links = [*(one.links or ()), span]
            span.links = [one]
        opened.append(span)
        return Trace(trace.correlation_id, span.id)

    def _is_first(self, trace: Trace) -> bool:
        """Whether it has not begun already, by another click at the same time, or by the same one once more."""
        trace.begins = False
        while len(self._roots) > BEGUN:
            self._roots.pop(next(iter(self._roots)), None)
        mine = object()
        return self._roots.setdefault(trace.correlation_id, mine) is mine

    def end(self, opened: list[Span], error: type[object] | None = None, /) -> None:
        """See the kernel's hooks."""
        now = time_ns()
        for span in opened:
            span.until, span.error = now, error
            self._keep(span)
        opened.clear()

    def close(self) -> None:
        """Send what is left, but wait no longer than for a moment: then what an endpoint has not taken is lost."""
        closing = threading.Thread(target=self._processor.shutdown, name="traces", daemon=True)
        closing.start()
        closing.join(PATIENCE)
        if closing.is_alive():
            self._exporter.shutdown()  # which tries nothing again


def spans(
    exporter: Literal["none", "console", "otlp"],
    sample: float,
    endpoint: str,
    identity: Mapping[str, str] = NOBODY,
    out: TextIO = sys.stderr,
) -> Spans | None:
    """What records traces and sends them there, if that is wanted. Raises CannotExport."""
    if exporter == "none" or not sample:
        return None
    return Spans(ConsoleSpanExporter(out=out) if exporter == "console" else _otlp(endpoint), sample, identity)


def _otlp(endpoint: str) -> SpanExporter:
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError as error:
        raise CannotExport(
            '[tracing] exporter = "otlp": the package that speaks OTLP is missing; run `.venv/bin/uv sync --extra otlp`'
        ) from error
    _seldom(OTLPSpanExporter.__module__).setLevel(
        logging.ERROR
    )  # it warns of each try, and of the last one as an error
    return OTLPSpanExporter(endpoint, timeout=SENT_WITHIN)


def _seldom(name: str) -> logging.Logger:
    log = logging.getLogger(name)
    if not any(isinstance(each, _Seldom) for each in log.filters):
        log.addFilter(_Seldom())
    return log


class _Seldom(logging.Filter):
    """Lets the same be said once in so many seconds: a collector that is down is down for each batch."""

    def __init__(self) -> None:
        super().__init__()
        self._said = dict[str, float]()

    def filter(self, record: logging.LogRecord) -> bool:
        if seldom := record.created > self._said.get(record.msg, 0.0) + SAID_EVERY:
            self._said[record.msg] = record.created
        return seldom
