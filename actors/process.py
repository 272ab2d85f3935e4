"""A desk in this process: built in its home, told of signals, watched, started anew when it cannot go on."""

import logging
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from messages.errors import TroupeError

if TYPE_CHECKING:
    from actors.console.doors import Door
    from actors.desk import Desk
    from actors.notify import Program
    from actors.settings.reading import Settings
    from actors.workers.places import Places
    from storage.connections import Reader
    from storage.home import Home
    from telemetry.hooks import CountingHooks
    from telemetry.logs import Redactor
    from telemetry.tracing import Spans

RESTARTS: Final = 5
"""Times that a desk is started anew within so many seconds; then it is given up."""
RESTARTED_WITHIN = 30.0
RESTARTED_AT: Final = "_TROUPE_STARTED_ANEW_AT"
"""The variable in which a process tells the next one when that was."""


@contextmanager
def door(home: "Home") -> "Generator[Door]":
    """The desk that runs, or else one started for this command."""
    from actors.console.client import answers
    from actors.console.doors import Here, There
    from actors.console.imports import import_sample
    from storage.home import HomeTaken

    interrupts = _Interrupts()
    try:
        with desk_in(home, serve=False) as (desk, _, _), interrupts.telling(desk.told_to_stop):
            import_sample(desk.access)
            yield Here(desk.access)
    except HomeTaken:
        if not answers(home.socket):
            raise
        with interrupts.raised():
            yield There(home, *reader(home))
    except TroupeError as error:
        if interrupts.came:
            raise KeyboardInterrupt from error
        raise


@contextmanager
def desk_in(home: "Home", *, serve: bool) -> "Generator[tuple[Desk, Settings, CountingHooks]]":
    """A desk in this process, stopped whatever happens."""
    from actors.claude.programs import Programs
    from actors.desk import Desk
    from actors.edges import Edges
    from actors.kernel.system import System
    from actors.settings import reading
    from telemetry.hooks import CountingHooks

    home.take()
    try:
        chosen = reading.load(home)
        show = _log_to(home, chosen)
        with _spans(home, chosen) as spans:
            hooks, program = CountingHooks(spans), _program(home, chosen)
            edges = Edges(
                lambda publish, flush: System(hooks=hooks, publish=publish, flush=flush),
                random.random, Programs, _places, program if serve else lambda sentence: True,
            )  # fmt: skip
            desk = Desk(home, chosen, edges, serve=serve)
            desk.start()
            if serve:
                show()  # only now: what keeps a desk from starting is said in one line, and its stack is in the log
            try:
                yield desk, chosen, hooks
            finally:
                program.close()
                if late := desk.stop():
                    print(f"warning: {', '.join(late)} did not stop in time and were abandoned", file=sys.stderr)
    finally:
        home.release()


@contextmanager
def _spans(home: "Home", settings: "Settings") -> "Generator[Spans | None]":
    """What records traces, where they are wanted; what is left of them is sent in the end. Raises CannotExport."""
    if (chosen := settings.tracing).exporter == "none":
        yield None
        return
    from telemetry.tracing import spans  # brings OpenTelemetry's tracing, 0.1 s

    recording = spans(chosen.exporter, chosen.sample, chosen.endpoint, home.identity)
    try:
        yield recording
    finally:
        if recording is not None:
            recording.close()


def _program(home: "Home", settings: "Settings") -> "Program":
    """By which a person is told of a desk that serves, beside the log; without a command nobody is."""
    from actors.notify import Program

    return Program(settings.notify, os.environ, _redactor(home))


def _places(settings: "Settings") -> "Places":
    """Where this machine, or the cluster, computes."""
    from actors.workers.places import Places
    from actors.workers.processes import Process

    if (chosen := settings.cluster) is None:
        return Places(python=lambda: Process(settings.memory_mb * 2**20))
    from actors.workers.cluster import Address, Cluster

    there = Address(chosen.scheduler, chosen.ca, chosen.cert, chosen.key)
    return Places(python=lambda: Cluster(there), pure=lambda: Cluster(there))


@contextmanager
def metrics_of(desk: "Desk", home: "Home", hooks: "CountingHooks", settings: "Settings") -> "Generator[str]":
    """Serve metrics, unless the port is 0; what to tell a person of them. Raises PortTaken, if they are required."""
    if not (port := settings.metrics_port):
        yield "metrics are off"
        return
    from actors import measures
    from telemetry.exporter import Exporter, PortTaken

    exporter = Exporter(measures.sources(desk, hooks), home.identity, measures.pages(desk, _redactor(home)))
    try:
        try:
            exporter.serve(port)
            said = f"metrics at http://127.0.0.1:{port}/metrics"
        except PortTaken as error:
            if settings.metrics_required:
                raise
            said = f"no metrics ({error})"
            logging.getLogger("troupe.telemetry").error("%s", error)
        yield said
    finally:
        exporter.close()


def run_anew(home: "Home", reason: str, told_to_stop: Callable[[], bool]) -> None:
    """Replace this process by a new one with the same command, after a pause, unless that was done too often."""
    reason = _redactor(home)(reason)
    now = time.time()
    before = [at for at in map(float, os.environ.get(RESTARTED_AT, "").split()) if at > now - RESTARTED_WITHIN]
    if len(before) >= RESTARTS:
        raise TroupeError(f"{reason}; started anew {RESTARTS} times in {RESTARTED_WITHIN:.0f} s, giving up")
    pause = 0.1 * 2 ** len(before)
    print(f"error: {reason}; starting anew in {pause:.1f} s", file=sys.stderr)
    time.sleep(pause)
    if told_to_stop():
        return
    os.environ[RESTARTED_AT] = " ".join(map(str, [*before, now]))
    os.execv(sys.executable, [sys.executable, *sys.argv])


def reader(home: "Home") -> "tuple[Reader, str]":
    """For reading what a desk has kept here, and the source of its prices. Raises as `open_for_reading`."""
    from storage.migrations import open_for_reading

    read, fixed = open_for_reading(home)
    return read, fixed["price_source"]


def restored(home: "Home", file: Path) -> "Path | None":
    """Put a backup in the place of the home's database; where that is kept. Raises HomeTaken beside a desk."""
    from actors.settings import reading
    from storage import backups

    home.take()
    try:
        return backups.restore(home, file, reading.load(home).fixed, time.time_ns() // 1_000)
    finally:
        home.release()


class _Interrupts:
    """SIGINT and SIGTERM end a command; a second one ends it at once.

    In a desk of this process nothing is raised: an exception while this thread holds the lock of an answer it waits
    for would keep that lock, and who answers would wait for ever. Instead a thread says that the desk is to stop.
    """

    def __init__(self) -> None:
        self.came, self._raising = False, False
        self._read, self._write = os.pipe()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._take)

    def _take(self, number: int, _: object) -> None:
        if self.came:
            os._exit(128 + number)
        self.came = True
        os.write(self._write, b"!")
        if self._raising:
            raise KeyboardInterrupt

    @contextmanager
    def telling(self, stop: Callable[[], None]) -> "Generator[None]":
        """Within, a signal tells the desk to stop; so does one that came before."""

        def wait() -> None:
            if os.read(self._read, 1) == b"!":
                stop()

        waiting = threading.Thread(target=wait, name="interrupts", daemon=True)
        waiting.start()
        try:
            yield
        finally:
            os.write(self._write, b".")
            waiting.join()

    @contextmanager
    def raised(self) -> "Generator[None]":
        """Within, a signal is raised as KeyboardInterrupt; so is one that came before."""
        try:
            self._raising = True
            if self.came:
                raise KeyboardInterrupt
            yield
        finally:
            self._raising = False


def _log_to(home: "Home", settings: "Settings") -> Callable[[], None]:
    """What is logged goes into the file; and on the terminal, from when what this returns is called."""
    from telemetry.logs import log_to, show_on

    hide = _redactor(home)
    try:
        log_to(home.log, settings.log_format, settings.log_level, hide)
    except OSError as error:
        raise home.unusable(error) from error
    return partial(show_on, sys.stderr, settings.log_format, hide)


def _redactor(home: "Home") -> "Redactor":
    """What hides the secrets that this process has read, and whatever looks like one."""
    from telemetry.logs import Redactor, known_secrets

    return Redactor(known_secrets(os.environ, home.path / "alpaca.toml"))
