"""Reading what others write: no lock, and yet nothing torn."""

import threading
from types import SimpleNamespace
from typing import Any

from actors.kernel.hooks import BOUNDS, Meters
from actors.kernel.runner import Observed
from actors.kernel.supervision import State
from telemetry.hooks import CountingHooks
from telemetry.instruments import FAILURES, PROCESSING_TIME
from telemetry.readings import histograms, numbers
from telemetry.sources import Sources


def test_messages_of_new_types_and_crashes_of_new_kinds_may_come_while_it_is_read(restless: None) -> None:
    kinds = [type(f"Kind{number}", (Exception,), {}) for number in range(2_000)]
    meters, hooks = Meters(), CountingHooks()
    thread: Any = SimpleNamespace(meters=meters, crashed=Meters(), since=float("inf"))
    seen = Observed("counter", State.READY, 0, "", {"counter-1": thread})
    sources = Sources(lambda: [seen], lambda: 0.0, BOUNDS, hooks, {})

    def write() -> None:
        assert reading.wait(10)
        for kind in kinds:
            meters[kind].ran[0] += 1
            hooks.failures["counter-1", kind.__name__] += 1

    writer, reading = threading.Thread(target=write), threading.Event()
    writer.start()
    while writer.is_alive():
        histograms(sources)
        numbers(sources)[FAILURES]()
        reading.set()
    writer.join()

    assert len(histograms(sources)[PROCESSING_TIME]) == len(kinds)
    assert dict(numbers(sources)[FAILURES]())["counter", "Kind1999"] == 1
