"""What the kernel calls when something rare happens: logged here, and counted for the exporter."""

import logging
import sys
import threading
import traceback
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from telemetry.tracing import Spans

_log = logging.getLogger("troupe.kernel")


class CountingHooks:
    """Hooks for `actors.kernel.system.System`, met by shape alone.

    Counted without a lock: an actor's crashes are told on its own thread and under that thread's name, so each count
    has one writer, and adding a key to a dict is one step to the interpreter. That does not hold for dead letters,
    which any sender's thread tells; those the kernel counts itself, under its lock.
    """

    def __init__(self, spans: "Spans | None" = None) -> None:
        self.failures, self.restarts = Counter[tuple[str, str]](), Counter[str]()
        self.spans = spans

    def crashed(self, actor: str, error: BaseException, retry_in: float | None, /) -> None:
        """Count it by actor and type of error, and as a restart if there is a next try."""
        self.failures[actor, type(error).__name__] += 1
        if retry_in is not None:
            self.restarts[actor] += 1
        when = "none" if retry_in is None else f"{retry_in} s"
        _log.error("%s crashed; next try: %s", actor, when, exc_info=error)

    def dead_letter(self, actor: str, message: object, why: str, /) -> None:
        """For debugging only: under overload there are many."""
        _log.debug("%s: %s is a dead letter: %s", actor, type(message).__name__, why)

    def hangs(self, actor: str, message: object, seconds: float, /) -> None:
        """A warning, with where it is."""
        _log.warning(
            "%s has been busy with %s for %.1f s, in\n%s", actor, type(message).__name__, seconds, stack_of(actor)
        )


def stack_of(thread: str) -> str:
    """Where the thread of this name is, the innermost call last; empty where there is none."""
    idents = [each.ident for each in threading.enumerate() if each.name == thread]
    frames = sys._current_frames()  # pyright: ignore[reportPrivateUsage]  # documented, in spite of its name
    return "".join("".join(traceback.format_stack(frames[ident])) for ident in idents if ident in frames)
