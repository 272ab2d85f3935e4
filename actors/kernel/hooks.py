"""What telemetry can see: histograms it reads when it likes, and calls for what is rare."""

from typing import Final, Protocol

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


class Hooks(Protocol):
    """Called on the thread where it happens; must neither block nor raise."""

    def crashed(self, actor: str, error: BaseException, retry_in: float | None, /) -> None:
        """An actor raised. None: it is not tried again."""
        ...

    def dead_letter(self, actor: str, message: object, why: str, /) -> None:
        """A message will not be handled; if it was a request, its asker has been told."""
        ...

    def hangs(self, actor: str, message: object, seconds: float, /) -> None:
        """A handler has been busy with this one message for so long. Said once a message."""
        ...
