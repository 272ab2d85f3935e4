"""What the console makes of events: lines for whoever watches the desk."""

import logging

import pytest

from actors.bus import Bus, Route
from actors.console.console import Console
from actors.kernel.testing import TestSystem
from messages import console
from messages.addresses import Down, Ref
from messages.claude import BreakerChanged
from messages.events import EVENTS
from storage.home import Home
from tests.desks import StagedDesk


class Unheard(Console):
    """A console without its server."""

    def on_start(self) -> None:
        """Nobody can connect."""


def test_whoever_watches_reads_what_is_down_and_whether_claude_can_be_asked(
    home: Home, desk: StagedDesk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    ref = Ref[console.Message]("console")
    bus, system = Bus(EVENTS, [Route("*", (ref,))]), TestSystem()
    system.add(ref, lambda me: Unheard(me, home, desk.access))
    system.start()

    bus.publish(Down("market", "ValueError('no bars')"))
    bus.publish(BreakerChanged("open", "network", "there is no way to 127.0.0.1:9", None))
    bus.publish(BreakerChanged("closed", "", "", None))
    system.settle()

    said = [(record.levelname, record.getMessage()) for record in caplog.records if record.name == "troupe.events"]
    assert said == [
        ("ERROR", "market is down: ValueError('no bars'); it is tried again each minute"),
        ("WARNING", "Claude is not asked for now (network): there is no way to 127.0.0.1:9"),
        ("INFO", "Claude can be asked again"),
    ]
