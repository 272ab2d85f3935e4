"""What telemetry can see: histograms it reads when it likes, and calls for what is rare."""

from collections.abc import Iterable
from typing import Any, Final, Protocol

from actors.kernel.mailbox import Post
from messages.correlation import Trace

BOUNDS: Final = [10.0**-6 * 4**n for n in range(14)]
"""Upper bounds of the histograms' buckets in seconds: 1 µs to 67 s, and one bucket above."""


class Meter:
    """How long one actor's messages of one type waited and ran, as counts by bucket and sums in seconds.

    Written by one thread and read by another without a lock: a reader may be one message behind.
    """

    __slots__ = ("ran", "ran_seconds", "waited", "waited_seconds")

    def __init__(self) -> None:
        self.waited, self.ran = [0] * (len(BOUNDS) + 1), [0] * (len(BOUNDS) + 1)
        self.waited_seconds = self.ran_seconds = 0.0


class Meters(dict[type[object], Meter]):
    """The meters of one actor, by type of message."""

    def __missing__(self, message: type[object]) -> Meter:
        self[message] = meter = Meter()
        return meter


class Spans(Protocol):
    """Records the handling of messages that belong to a trace; called as Hooks are."""

    def takes(self, trace: Trace, /) -> bool:
        """Whether this is recorded; asked first, so that what is left out costs no more than that."""
        ...

    def begin(self, opened: list[Any], actor: str, posts: Iterable[Post], /) -> None:
        """These are handled from now on, together with what is opened already; what is recorded is added to that."""

    def end(self, opened: list[Any], error: type[object] | None = None, /) -> None:
        """All that is opened has been handled, or has come to this; nothing is opened any more."""


class Hooks(Protocol):
    """Called on the thread where it happens; must neither block nor raise."""

    @property
    def spans(self) -> Spans | None:
        """Who records traces, if anyone does."""
        return None

    def crashed(self, actor: str, error: BaseException, retry_in: float | None, /) -> None:
        """An actor raised. None: it is not tried again."""

    def dead_letter(self, actor: str, message: object, why: str, /) -> None:
        """A message will not be handled; if it was a request, its asker has been told."""

    def hangs(self, actor: str, message: object, seconds: float, /) -> None:
        """A handler has been busy with this one message for so long. Said once a message."""
