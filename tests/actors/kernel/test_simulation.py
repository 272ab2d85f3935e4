"""A small company under crashes at every point, in orders a seed picks."""

import os
import random

import pytest

from actors.kernel.me import Me
from actors.kernel.system import STOP_DESK
from actors.kernel.testing import Probe, TestSystem
from messages.addresses import Ref, Refused, ReplyTo
from tests.actors.kernel.counter import (
    Committed,
    Counter,
    CounterMessage,
    Hold,
    Release,
    Total,
    Write,
    Writer,
    WriterMessage,
)

SEEDS = int(os.environ.get("SEEDS", "20"))  # in each of ten blocks


class Clerk(Counter):
    """Answers a Total when its row is committed; rereads the rows when it is rebuilt."""

    def __init__(self, me: Me[CounterMessage], database: Ref[WriterMessage], disk: list[str]) -> None:
        super().__init__(me)
        self._database, self._disk, self._written = database, disk, list[ReplyTo[int | Refused]]()

    def on_start(self) -> None:
        self.total = len(self._disk)

    def on_receive(self, message: CounterMessage) -> None:
        match message:
            case Total():
                self._written.append(message.reply_to)
                back = self.me.reply_to("row", of=self._database, within=5)
                self._database.tell(Write(self.me.name, back))
            case Committed(rows):
                assert rows > self.total, "an acknowledged write was lost, or acknowledgements overtook each other"
                self.total = rows
                self._written.pop(0).tell(rows)
            case Refused():
                self._written.pop(0).refuse("unwritten", message.sentence)
            case _:
                super().on_receive(message)


class Company:
    """A writer with little room and three clerks, one of whom crashes now and then."""

    def __init__(self, seed: int) -> None:
        self.database, self.disk = Ref[WriterMessage]("database"), list[str]()
        self.system = TestSystem(seed, flush=lambda back: self.database.tell(Write(None, back)))
        self.system.add(self.database, lambda me: Writer(me, self.disk), STOP_DESK, capacity=6)
        self.clerks = [Ref[CounterMessage](f"clerk {n}") for n in range(3)]
        for clerk in self.clerks:
            self.system.add(clerk, lambda me: Clerk(me, self.database, self.disk), capacity=4)
        self.probes, self._chance = [Probe[int | Refused]() for _ in range(30)], random.Random(seed)

    def live(self) -> None:
        """One life, from start to stop."""
        self.system.start()
        for probe in self.probes:
            self._turn(probe)
        self.system.advance(10)
        self.system.stop(grace=1)

    def _turn(self, probe: Probe[int | Refused]) -> None:
        chance, clerk = self._chance, self._chance.choice(self.clerks)
        clerk.tell(Total(probe) if chance.random() < 0.5 else Hold(probe))
        if chance.random() < 0.1:
            clerk.tell(Release())
        if chance.random() < 0.2:
            self.system.crash(chance.choice(self.clerks), after=chance.randrange(4))
        if chance.random() < 0.3:
            self.system.advance(chance.random())


@pytest.mark.parametrize("block", range(10))
def test_whoever_crashes_when_every_request_has_one_end_and_no_acknowledged_write_is_lost(block: int) -> None:
    for seed in range(SEEDS * block, SEEDS * (block + 1)):
        company = Company(seed)
        company.live()

        received = [answer for probe in company.probes for answer in probe.received]
        assert [len(probe.received) for probe in company.probes] == [1] * 30, f"seed {seed}"
        assert max((answer for answer in received if isinstance(answer, int)), default=0) <= len(company.disk)
        assert not company.system.failed.done(), f"seed {seed}"
