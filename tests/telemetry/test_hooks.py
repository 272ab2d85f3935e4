"""Hooks that count: they log what the kernel's own would, and cost no import of OpenTelemetry."""

import subprocess
import sys

import pytest

from actors.kernel.hooks import Hooks
from actors.kernel.system import System
from messages.addresses import Ref
from telemetry.hooks import CountingHooks
from tests.actors.kernel.counter import Counter, CounterMessage, Do, Gate


def log_of(hooks: Hooks, caplog: pytest.LogCaptureFixture) -> list[tuple[str, str, str, bool]]:
    caplog.clear()
    with caplog.at_level("DEBUG", "troupe.kernel"):
        hooks.crashed("counter", ValueError("x"), 0.1)
        hooks.crashed("counter", ValueError("x"), None)
        hooks.dead_letter("counter", "a message", "full")
        hooks.hangs("counter", "a message", 12.34)
    return [(record.name, record.levelname, record.message, bool(record.exc_info)) for record in caplog.records]


def test_each_rare_thing_is_logged_with_the_stack_of_a_crash(caplog: pytest.LogCaptureFixture) -> None:
    assert log_of(CountingHooks(), caplog) == [
        ("troupe.kernel", "ERROR", "counter crashed; next try: 0.1 s", True),
        ("troupe.kernel", "ERROR", "counter crashed; next try: none", True),
        ("troupe.kernel", "DEBUG", "counter: str is a dead letter: full", False),
        ("troupe.kernel", "WARNING", "counter has been busy with str for 12.3 s, in\n", False),
    ]


def test_what_hangs_is_named_with_where_it_is(caplog: pytest.LogCaptureFixture) -> None:
    gate, counter = Gate(), Ref[CounterMessage]("counter")
    system = System(hooks=CountingHooks(), patience=0.0)
    system.add(counter, Counter)
    system.start()
    counter.tell(Do(gate))
    assert gate.entered.wait(5)
    system.watch()
    gate.opened.set()
    assert system.stop(grace=4) == []

    said = [record.message for record in caplog.records if "has been busy with Do" in record.message]
    assert said
    assert "tests/actors/kernel/counter.py" in said[0]
    assert "opened.wait" in said[0]


def test_crashes_count_by_actor_and_type_and_as_restarts_where_there_is_a_next_try() -> None:
    hooks = CountingHooks()

    hooks.crashed("a", ValueError(), 0.1)
    hooks.crashed("a", ValueError(), 0.0)
    hooks.crashed("a", KeyError(), None)
    hooks.crashed("b", KeyError(), 60.0)

    assert hooks.failures == {("a", "ValueError"): 2, ("a", "KeyError"): 1, ("b", "KeyError"): 1}
    assert hooks.restarts == {"a": 2, "b": 1}


def test_hooks_and_table_are_had_without_opentelemetry() -> None:
    script = "import sys, telemetry.hooks, telemetry.readings; sys.exit('opentelemetry' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
