"""Traces of the real program, sent to a collector on loopback, to one that hangs, and to nobody."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from signal import SIGTERM

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.end_to_end.places import Place
from tests.telemetry.collectors import address, refusing, silent


@dataclass(frozen=True, slots=True)
class Sent:
    """A span as it was sent; ids in hexadecimal, `parent` empty for the first of a trace."""

    trace: str
    id: str
    parent: str
    name: str


class Collector:
    """Takes what is sent to it."""

    def __init__(self) -> None:
        self.spans = list[Sent]()
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                sent = ExportTraceServiceRequest()
                sent.ParseFromString(self.rfile.read(int(self.headers["Content-Length"])))
                for scope in (scope for each in sent.resource_spans for scope in each.scope_spans):
                    owner.spans += [
                        Sent(span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex(), span.name)
                        for span in scope.spans
                    ]
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def names(self, about: str) -> set[str]:
        """Of the spans of a trace."""
        return {span.name for span in self.spans if span.trace == about}

    def broken(self) -> list[object]:
        """Traces that do not begin with one span, spans whose parent was not sent, and ids that two have."""
        ids = Counter(span.id for span in self.spans)
        begun = Counter(span.trace for span in self.spans if not span.parent)
        return [
            *(about for about in {span.trace for span in self.spans} if begun[about] != 1),
            *(span for span in self.spans if ids[span.id] > 1 or (span.parent and span.parent not in ids)),
        ]


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.server.shutdown()
    made.server.server_close()


def to(endpoint: str) -> str:
    return f'[tracing]\nsample = 1\nexporter = "otlp"\nendpoint = "{endpoint}"\n[trading]\nanalysts = ["rules"]\n'


@pytest.mark.long
def test_a_collector_gets_one_whole_trace_of_each_thing_a_person_does(sample: Place, collector: Collector) -> None:
    sample.settings(to(address(collector.server.socket)))
    program = sample.serve()
    sample.once("--again")
    order = sample.run("orders", "--json").json["orders"][0]

    assert sample.run("approve", order["ticket"]["client_id"]).code == 0
    assert sample.run("backup").code == 0
    assert sample.run("halt", "--flatten").code == 0
    halted = sample.run("orders", "--json").json["orders"][0]
    assert sample.run("resume").code == 0
    program.send(SIGTERM)

    assert program.wait().code == 0
    assert collector.broken() == []
    assert {"edge SetState", "broker Flatten", "trading Executed"} <= collector.names(halted["correlation_id"])
    names = collector.names(order["correlation_id"])
    assert {
        "tasks Submit", "database Write", "tasks waits for Finished", "research Run", "trading Run", "trading Approve",
        "broker Send", "trading Executed",
    } <= names  # fmt: skip
    assert names & {"processes-1 Run", "processes-2 Run"}  # whose job was computed in a process


@pytest.mark.long
@pytest.mark.parametrize("collector", [silent, refusing])
def test_a_collector_that_hangs_or_is_not_there_is_not_waited_for(
    sample: Place, collector: Callable[[], AbstractContextManager[str]]
) -> None:
    with collector() as endpoint:
        sample.settings(to(endpoint))
        program = sample.serve()
        sample.once("--again")

        program.send(SIGTERM)
        ended = program.wait()

    assert ended.code == 0
    assert len(ended.lines) <= 1, ended


def test_on_the_console_spans_are_json_on_standard_error(sample: Place) -> None:
    sample.environment |= {"TROUPE_TRACING__EXPORTER": "console", "TROUPE_TRACING__SAMPLE": "1"}

    ended = sample.run("once", "--again", "--json")

    decoder, text, names = json.JSONDecoder(), ended.err[ended.err.index("{") :], set[str]()
    while text:
        span, end = decoder.raw_decode(text)
        names.add(span["name"])
        text = text[end:].lstrip()
    assert ended.code == 0
    assert "research Run" in names
