"""What is recorded of a test's systems."""

from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from telemetry.tracing import Spans


class Recording:
    """What was recorded, once it is closed."""

    def __init__(self, sample: float = 1.0) -> None:
        self._exporter = InMemorySpanExporter()
        self.spans = Spans(self._exporter, sample)

    def of(self, about: str = "", since: int = 0) -> list[ReadableSpan]:
        """All spans, or those of a trace, or those that began after a moment, in nanoseconds."""
        self.spans.close()
        found = (span for span in self._exporter.get_finished_spans() if (span.start_time or 0) > since)
        return [span for span in found if not about or f"{context(span).trace_id:032x}" == about]

    def names(self, about: str = "", since: int = 0) -> list[str]:
        return [span.name for span in self.of(about, since)]


def context(span: ReadableSpan) -> Any:
    """Its ids."""
    return span.get_span_context()


def below(span: ReadableSpan, other: ReadableSpan) -> bool:
    """Whether the one is right below the other."""
    return span.parent is not None and span.parent.span_id == context(other).span_id
