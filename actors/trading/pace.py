"""How many orders were approved lately, counted as the journal grows: a day's are not read again for each order."""

from bisect import bisect_left, insort
from dataclasses import dataclass

from storage import orders
from storage.connections import Reader


@dataclass(frozen=True, slots=True)
class Sent:
    """How many orders were approved within a day; of them within a minute, and under one mandate."""

    day: int
    minute: int
    mandate: int


class Pace:
    """What is on disk of it; what is on its way there, whoever asks adds."""

    def __init__(self) -> None:
        self._seen, self._times = 0, dict[str | None, list[int]]()  # by mandate, None for a person's yes

    def read(self, read: Reader, now: int, mandate: str | None) -> Sent:
        """How many there are by `now`, UTC in microseconds. `read` is a snapshot."""
        for at, under in orders.approvals(read, self._seen, now - orders.DAY):
            insort(self._times.setdefault(under, []), at)
        self._seen = orders.last_note(read)
        for times in self._times.values():
            del times[: bisect_left(times, now - orders.DAY)]
        lately = sum(len(times) - bisect_left(times, now - orders.MINUTE) for times in self._times.values())
        of_it = len(self._times.get(mandate, ())) if mandate is not None else 0
        return Sent(sum(map(len, self._times.values())), lately, of_it)
