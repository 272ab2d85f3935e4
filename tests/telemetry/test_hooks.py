"""Hooks that count: they log what the kernel's own would, and cost no import of OpenTelemetry."""

import subprocess
import sys

import pytest

from actors.kernel.hooks import Hooks
from telemetry.hooks import CountingHooks


def log_of(hooks: Hooks, caplog: pytest.LogCaptureFixture) -> list[tuple[str, str, str, bool]]:
    caplog.clear()
    with caplog.at_level("DEBUG", "troupe.kernel"):
        hooks.crashed("counter", ValueError("x"), 0.1)
        hooks.dead_letter("counter", "a message", "full")
        hooks.hangs("counter", "a message", 12.34)
    return [(record.name, record.levelname, record.message, bool(record.exc_info)) for record in caplog.records]


def test_each_rare_thing_is_logged_with_the_stack_of_a_crash(caplog: pytest.LogCaptureFixture) -> None:
    assert log_of(CountingHooks(), caplog) == [
        ("troupe.kernel", "ERROR", "counter crashed; next try: 0.1 s", True),
        ("troupe.kernel", "DEBUG", "counter: str is a dead letter: full", False),
        ("troupe.kernel", "WARNING", "counter has been busy with str for 12.3 s", False),
    ]


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
