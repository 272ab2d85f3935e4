"""The notifier: tells a person what they would want to know at once, in the log and through a program of theirs."""

import logging
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, assert_never

from actors.kernel.me import Me
from messages.addresses import Down, Hangs
from messages.claude import BreakerChanged
from messages.database import WritesHeld, WritesResumed
from messages.events import Event
from messages.trading import TradingChanged, TradingState

PASSED: Final = (
    "PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "DISPLAY", "WAYLAND_DISPLAY",
    "XAUTHORITY", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR",
)  # fmt: skip
"""What the program has of the desk's environment: no key, and no setting."""
PATIENCE: Final = 5.0
"""Seconds it may take; then it is killed."""
LONGEST: Final = 2_000
"""Characters of a sentence: what an exception has said may be longer than an argument can be."""
AGAIN: Final = 600.0
"""Seconds within which the program is not told the same of somebody once more; the log has it each time."""
RETRY: Final = 60.0
"""Seconds until a sentence is told again of which the program has not said that it was told, if it still holds."""
DOUBLED: Final = 6
"""Times that these seconds are doubled at most: an hour."""
_log = logging.getLogger("troupe.events")


@dataclass(frozen=True, slots=True)
class _Retry:
    """Tell once more what was said at this moment, and not told so many times."""

    of: str
    said: tuple[str, float]
    tries: int


Message = Event | _Retry


class Notifier:
    """Logs each event, and hands what a person should see at once to `tell`, which says whether they were told.

    That may block for a moment. Of each that events are about, it is the last sentence that counts.
    """

    def __init__(self, me: Me[Message], tell: Callable[[str], bool]) -> None:
        self._me, self._tell, self._last = me, tell, dict[str, tuple[str, float]]()

    def on_receive(self, message: Message) -> None:
        """The whole protocol."""
        match message:
            case Down(actor, cause):
                self._say(actor, logging.ERROR, f"{actor} is down: {cause}; it is tried again each minute")
            case Hangs(actor, of, seconds):
                self._say(actor, logging.WARNING, f"{actor} has been busy with {of} for {seconds:.0f} s")
            case BreakerChanged(state="closed"):
                self._say("Claude", logging.INFO, "Claude can be asked again")
            case BreakerChanged():
                why = f"({message.cause}): {message.sentence}"
                self._say("Claude", logging.WARNING, f"Claude is not asked for now {why}")
            case WritesHeld(why):
                self._say("writes", logging.ERROR, f"nothing is kept for now: {why}")
            case WritesResumed():
                self._say("writes", logging.INFO, "what was held is kept")
            case TradingChanged(TradingState.ACTIVE):
                self._say("trading", logging.INFO, "trading is ACTIVE")
            case TradingChanged(state, why):
                self._say("trading", logging.WARNING, f"trading is {state}: {why}")
            case _Retry(of, said, tries):
                if self._last[of] == said:
                    self._try(of, said, tries)
            case _:
                assert_never(message)

    def _say(self, of: str, level: int, sentence: str) -> None:
        _log.log(level, "%s", sentence)
        now = self._me.clock.monotonic()
        last, at = self._last.get(of, ("", now))
        if sentence != last or now > at + AGAIN:
            self._last[of] = sentence, now
            self._try(of, self._last[of], 0)

    def _try(self, of: str, said: tuple[str, float], tries: int) -> None:
        if not self._tell(said[0]):
            self._me.after(RETRY * 2.0 ** min(tries, DOUBLED), _Retry(of, said, tries + 1))


class Program:
    """A program of a person's that takes a sentence as its last argument, such as `notify-send Troupe`.

    What goes wrong with it is logged: nothing of the desk hangs on it. `close` ends it, from any thread.
    """

    def __init__(self, command: Sequence[str], world: Mapping[str, str], hide: Callable[[str], str]) -> None:
        self._command, self._hide, self._closed = command, hide, False
        self._environment = {name: world[name] for name in PASSED if name in world}
        self._running: subprocess.Popen[bytes] | None = None

    def __call__(self, sentence: str) -> bool:
        """Run it, in a session of its own, and wait until it has ended or was killed; whether it ended well."""
        if self._closed or not self._command:
            return True
        told = self._hide(sentence.replace("\0", ""))[:LONGEST].encode("utf-8", "replace")
        nowhere = subprocess.DEVNULL
        try:
            running = subprocess.Popen(
                [*self._command, told],
                env=self._environment, stdin=nowhere, stdout=nowhere, stderr=nowhere, start_new_session=True,
            )  # fmt: skip
        except (OSError, ValueError) as error:
            self._warn(f"cannot be run: {error}")
            return False
        self._running = running
        if self._closed:
            self._kill(running)
        try:
            code = running.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._warn(f"had not ended after {PATIENCE:.0f} s and was killed")
            self._kill(running)
            return False
        if code != 0 and not self._closed:
            self._warn(f"ended with {code}")
        return code == 0

    def close(self) -> None:
        """The desk is about to stop: what runs is killed, and so is what is run from now on."""
        self._closed = True
        if (running := self._running) is not None and running.returncode is None:
            self._kill(running)

    @staticmethod
    def _kill(running: subprocess.Popen[bytes]) -> None:
        with suppress(ProcessLookupError, PermissionError):  # it runs as somebody else
            os.killpg(running.pid, signal.SIGKILL)
            running.wait()

    def _warn(self, what: str) -> None:
        _log.warning("nobody was told: [notify] command: %s %s", self._command[0], what)
