"""The notifier: tells a person what they would want to know at once, in the log and through a program of theirs."""

import logging
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final, assert_never

from actors.kernel.me import Me
from messages.addresses import Down, Hangs
from messages.claude import BreakerChanged
from messages.database import WritesHeld, WritesResumed
from messages.events import Event
from messages.trading import TradingChanged, TradingState

PASSED: Final = (
    "PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR", "DISPLAY", "WAYLAND_DISPLAY",
    "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR",
)  # fmt: skip
"""What the program has of the desk's environment: no key, and no setting."""
PATIENCE: Final = 5.0
"""Seconds it may take; then it is killed."""
LONGEST: Final = 2_000
"""Characters of a sentence: what an exception has said may be longer than an argument can be."""
AGAIN: Final = 600.0
"""Seconds within which the program is not told the same of somebody once more; the log has it each time."""
_log = logging.getLogger("troupe.events")


class Notifier:
    """Logs each event, and hands what a person should see at once to `tell`, which may block for a moment."""

    def __init__(self, me: Me[Event], tell: Callable[[str], None]) -> None:
        self._me, self._tell, self._told = me, tell, dict[str, tuple[str, float]]()

    def on_receive(self, message: Event) -> None:
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
                self._say("writes", logging.ERROR, f"nothing is kept for now, and trading is HALTED: {why}")
            case WritesResumed():
                self._say("writes", logging.INFO, "what was held is kept, and trading goes on")
            case TradingChanged(TradingState.ACTIVE):
                self._say("trading", logging.INFO, "trading is ACTIVE")
            case TradingChanged(state, why):
                self._say("trading", logging.WARNING, f"trading is {state}: {why}")
            case _:
                assert_never(message)

    def _say(self, of: str, level: int, sentence: str) -> None:
        _log.log(level, "%s", sentence)
        now = self._me.clock.monotonic()
        last, at = self._told.get(of, ("", now))
        if sentence != last or now > at + AGAIN:
            self._told[of] = sentence, now
            self._tell(sentence)


class Program:
    """A program of a person's that takes a sentence as its last argument, such as `notify-send Troupe`.

    What goes wrong with it is logged: nothing of the desk hangs on it.
    """

    def __init__(self, command: Sequence[str], world: Mapping[str, str], hide: Callable[[str], str]) -> None:
        self._command, self._hide = command, hide
        self._environment = {name: world[name] for name in PASSED if name in world}

    def __call__(self, sentence: str) -> None:
        """Run it, in a session of its own, and wait until it has ended or was killed."""
        sentence = self._hide(sentence).replace("\0", "")[:LONGEST]
        nowhere = subprocess.DEVNULL
        try:
            running = subprocess.Popen(
                [*self._command, sentence],
                env=self._environment, stdin=nowhere, stdout=nowhere, stderr=nowhere, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            self._warn(f"cannot be run: {error.strerror}")
            return
        try:
            if (code := running.wait(PATIENCE)) != 0:
                self._warn(f"ended with {code}")
        except subprocess.TimeoutExpired:
            self._warn(f"had not ended after {PATIENCE:.0f} s and was killed")
            with suppress(PermissionError):  # it runs as somebody else
                os.killpg(running.pid, signal.SIGKILL)
                running.wait()

    def _warn(self, what: str) -> None:
        _log.warning("nobody was told: [notify] command: %s %s", self._command[0], what)
