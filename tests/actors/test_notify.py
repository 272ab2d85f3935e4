"""What a person is told: lines of the log for all events, and a program of theirs, which may be as bad as it likes."""

import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from actors import notify
from actors.bus import Bus, Route
from actors.kernel.testing import Probe, TestSystem
from actors.notify import AGAIN, LONGEST, RETRY, Notifier, Program
from messages.addresses import Down, Hangs, Ref, Refused
from messages.claude import BreakerChanged
from messages.database import WritesHeld, WritesResumed
from messages.events import EVENTS
from messages.trading import Close, Said, TradingChanged, TradingState
from storage.home import Home
from telemetry.logs import Redactor
from tests.actors.kernel.counter import Counter, CounterMessage, Do, Tick
from tests.actors.trading.staged import Desk, Exchange
from tests.desks import StagedDesk
from tests.end_to_end.places import until


class Told:
    """A notifier that is told of all events, and what it has told."""

    def __init__(self) -> None:
        self.told, self.system, ref = list[str](), TestSystem(), Ref[notify.Message]("notifier")
        self.works = True
        self._bus = Bus(EVENTS, [Route("*", (ref,))])
        self.system.add(ref, lambda me: Notifier(me, self._tell))
        self.system.start()

    def _tell(self, sentence: str) -> bool:
        self.told.append(sentence)
        return self.works

    def publish(self, *events: object) -> None:
        for event in events:
            self._bus.publish(event)
        self.system.settle()


def test_each_event_is_a_line_of_the_log_and_what_a_person_is_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    told = Told()

    told.publish(
        Down("market", "ValueError('no bars')"),
        Hangs("source", "Fetch", 10.2),
        BreakerChanged("open", "network", "there is no way to 127.0.0.1:9", None),
        BreakerChanged("closed", "", "", None),
        WritesHeld("the disk is full"),
        WritesResumed(),
        TradingChanged(TradingState.HALTED, "a loss of 5 %"),
        TradingChanged(TradingState.ACTIVE, ""),
    )

    said = [(record.levelname, record.getMessage()) for record in caplog.records if record.name == "troupe.events"]
    assert said == [
        ("ERROR", "market is down: ValueError('no bars'); it is tried again each minute"),
        ("WARNING", "source has been busy with Fetch for 10 s"),
        ("WARNING", "Claude is not asked for now (network): there is no way to 127.0.0.1:9"),
        ("INFO", "Claude can be asked again"),
        ("ERROR", "nothing is kept for now: the disk is full"),
        ("INFO", "what was held is kept"),
        ("WARNING", "trading is HALTED: a loss of 5 %"),
        ("INFO", "trading is ACTIVE"),
    ]
    assert told.told == [sentence for _, sentence in said]


def test_the_same_is_logged_each_time_and_told_once_in_ten_minutes(caplog: pytest.LogCaptureFixture) -> None:
    told, down = Told(), Down("market", "no bars")

    told.publish(down, down)
    told.system.manual.manual.now += AGAIN + 1
    told.publish(down)

    assert len(told.told) == 2
    assert len([record for record in caplog.records if record.name == "troupe.events"]) == 3


def test_what_was_told_last_is_how_it_is() -> None:
    told, halted, goes_on = Told(), TradingChanged(TradingState.HALTED, "why"), TradingChanged(TradingState.ACTIVE, "")

    told.publish(halted, goes_on, halted)

    assert told.told == ["trading is HALTED: why", "trading is ACTIVE", "trading is HALTED: why"]


def test_what_the_program_has_not_told_is_told_again_while_it_holds() -> None:
    told = Told()
    told.works = False

    told.publish(TradingChanged(TradingState.HALTED, "why"))
    told.system.advance(RETRY + 1)
    told.works = True
    told.system.advance(RETRY)
    assert told.told == ["trading is HALTED: why"] * 2  # once more after two minutes
    told.system.advance(10 * RETRY)
    assert told.told == ["trading is HALTED: why"] * 3

    told.works = False
    told.publish(TradingChanged(TradingState.ACTIVE, ""))
    told.works = True
    told.publish(TradingChanged(TradingState.HALTED, "why"))
    told.system.advance(2 * RETRY)
    assert told.told[3:] == ["trading is ACTIVE", "trading is HALTED: why"]


def test_a_job_of_a_crew_may_take_long_and_nobody_is_told() -> None:
    published = list[object]()
    system, ref = TestSystem(publish=published.append), Ref[CounterMessage]("counters")

    class Long:
        def on_receive(self, message: CounterMessage) -> None:
            system.manual.manual.now += 11
            system.watch()

    system.add_crew(ref, lambda take: Long(), 1)
    system.start()
    ref.tell(Tick())
    system.settle()

    assert [actor for actor, _ in system.recorder.hanging] == ["counters-1"]
    assert published == []


def test_who_hangs_is_published_once_a_message() -> None:
    published = list[object]()
    system, ref = TestSystem(publish=published.append), Ref[CounterMessage]("counter")
    system.add(ref, lambda me: Counter(me, []))
    system.start()

    def hang(_: Counter) -> None:
        for _look in range(2):
            system.manual.manual.now += 11
            system.watch()

    ref.tell(Do(hang))
    system.settle()

    assert published == [Hangs("counter", "Do", 11.0)]


def changes(published: list[object]) -> list[tuple[TradingState, str]]:
    return [(event.state, event.why) for event in published if isinstance(event, TradingChanged)]


def halted(home: Home) -> tuple[Desk, list[object]]:
    """A desk that has seen the file HALT, and what it publishes."""
    published = list[object]()
    desk = Desk(home, Exchange(), publish=published.append)
    desk.open()
    home.halt.touch()
    desk.system.advance(60)
    return desk, published


def test_that_trading_is_halted_and_goes_on_is_published_once_however_it_came_about(home: Home) -> None:
    desk, published = halted(home)
    home.halt.unlink()
    desk.system.advance(60)

    assert changes(published) == [(TradingState.HALTED, f"{home.halt} is there; remove it to trade again"),
                                  (TradingState.ACTIVE, "")]  # fmt: skip


def test_that_trading_stays_halted_for_another_reason_is_published_too(home: Home) -> None:
    desk, published = halted(home)
    desk.exchange.cash += 1
    desk.reconcile()
    home.halt.unlink()
    desk.system.advance(60)

    assert [state for state, _ in changes(published)] == [TradingState.HALTED] * 2
    assert "of cash, the books say" in changes(published)[1][1]


def test_trading_is_halted_for_a_person_as_long_as_nothing_can_be_committed(home: Home) -> None:
    desk, published = halted(home)
    desk.ref.tell(WritesHeld("the disk is full"))
    desk.system.settle()
    home.halt.unlink()
    desk.ref.tell(WritesResumed())
    desk.system.settle()
    desk.system.advance(60)

    assert [state for state, _ in changes(published)] == [TradingState.HALTED, TradingState.HALTED, TradingState.ACTIVE]
    assert changes(published)[1][1] == "the disk is full"


def test_that_a_desk_which_stops_trades_no_more_is_nothing_to_be_told(home: Home) -> None:
    published = list[object]()
    desk = Desk(home, Exchange(), publish=published.append)
    desk.open()

    desk.ref.tell(Close(True, Probe[Said | Refused]()))
    desk.system.advance(60)

    assert changes(published) == []


def test_what_hangs_amid_its_start_is_not_called_by_a_name_of_the_kernels() -> None:
    published = list[object]()
    system, ref = TestSystem(publish=published.append), Ref[CounterMessage]("slow")

    class Slow(Counter):
        def on_start(self) -> None:
            system.manual.manual.now += 11
            system.watch()

    system.add(ref, lambda me: Slow(me, []))
    system.start()

    assert published == [Hangs("slow", "its start or stop", 11.0)]


def test_a_desk_tells_a_person_of_a_file_halt(home: Home) -> None:
    told = list[str]()

    def tell(sentence: str) -> bool:
        told.append(sentence)
        return True

    desk = StagedDesk(home, tell=tell).start()

    home.halt.touch()
    desk.system.advance(60)
    desk.stop()

    [sentence] = told
    assert sentence.startswith("trading is HALTED: ")


# The program


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str], Program]:
    """One that is this script, with a secret and a setting in the desk's environment."""
    world = {"PATH": os.environ["PATH"], "ANTHROPIC_API_KEY": "sk-ant-1234567890", "TROUPE_TRADING__BROKER": "alpaca"}

    def made(script: str) -> Program:
        path = tmp_path / "tell.sh"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o700)
        return Program([str(path), "Troupe"], world, Redactor(["sk-ant-1234567890"]))

    return made


def test_a_program_is_given_the_sentence_without_secrets_and_none_in_its_environment(
    program: Callable[[str], Program], tmp_path: Path
) -> None:
    program(f'printf "%s|" "$@" > {tmp_path}/said; env > {tmp_path}/env')(
        "$(rm -rf x) `x`; it said sk-ant-1234567890\0"
    )

    assert (tmp_path / "said").read_text() == "Troupe|$(rm -rf x) `x`; it said [secret]|"
    names = {line.partition("=")[0] for line in (tmp_path / "env").read_text().splitlines()}
    assert names <= {"PATH", "PWD", "OLDPWD", "SHLVL", "_"}


@pytest.mark.parametrize(
    ("script", "warning"),
    [
        ("exit 3", "ended with 3"),
        ("sleep 60 & sleep 60", "had not ended after 0 s and was killed"),
        ("kill -9 $$", "ended with -9"),
    ],
)
def test_a_program_that_fails_or_hangs_is_a_warning_and_is_waited_for_no_longer(
    program: Callable[[str], Program],
    script: str,
    warning: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if "killed" in warning:
        monkeypatch.setattr(notify, "PATIENCE", 0.2)

    assert not program(script)("it is so")

    [record] = caplog.records
    assert record.getMessage().endswith(warning)


def left(marker: Path) -> list[int]:
    """Processes whose number was written there and that are alive."""
    pids = [int(line) for line in marker.read_text().split()] if marker.exists() else []
    return [pid for pid in pids if Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes()]


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="processes are looked for in /proc")
def test_what_the_program_has_started_is_killed_with_it(
    program: Callable[[str], Program], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notify, "PATIENCE", 0.5)

    assert not program(f"sleep 60 & echo $! >> {tmp_path}/pids; echo $$ >> {tmp_path}/pids; wait")("it is so")

    assert len((tmp_path / "pids").read_text().split()) == 2
    until(lambda: not left(tmp_path / "pids"), "an end of both")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="processes are looked for in /proc")
def test_a_desk_that_stops_neither_waits_for_the_program_nor_leaves_it(
    program: Callable[[str], Program], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tell = program(f"echo $$ > {tmp_path}/pids; exec sleep 60")
    telling = threading.Thread(target=tell, args=("it is so",))
    telling.start()
    until(lambda: bool(left(tmp_path / "pids")), "a start")

    tell.close()
    telling.join()

    until(lambda: not left(tmp_path / "pids"), "an end")
    assert tell("and more")  # which nobody hears
    assert caplog.records == []


def test_what_the_program_prints_is_nobodys(
    program: Callable[[str], Program], capfd: pytest.CaptureFixture[str]
) -> None:
    assert program("echo out; echo err >&2")("it is so")

    assert capfd.readouterr() == ("", "")


def test_of_a_very_long_sentence_the_beginning_is_told(program: Callable[[str], Program], tmp_path: Path) -> None:
    program(f'printf "%s" "$2" > {tmp_path}/said')("it crashed: " + "x" * 1_000_000)

    assert (tmp_path / "said").read_text() == ("it crashed: " + "x" * 1_000_000)[:LONGEST]


def test_a_program_that_is_not_there_is_a_warning_that_names_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Program([str(tmp_path / "none")], {}, Redactor(()))("it is so")

    [record] = caplog.records
    assert record.getMessage().startswith(f"nobody was told: [notify] command: {tmp_path / 'none'} cannot be run: ")
