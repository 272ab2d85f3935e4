"""The event bus: who is told of what, a table fixed when the desk is composed.

No actor and no hop: publishing tells each receiver in the publisher's thread, and whose mailbox has no room for an
event goes without it. So nothing that must happen may hang on one.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from operator import attrgetter
from typing import Any, Final, Generic, TypeVar, get_type_hints

import msgspec

from messages.addresses import Ref
from messages.errors import TroupeError

E = TypeVar("E")
Where = Mapping[str, AbstractSet[object]]
"""By the name of a field the values it may have; all of the fields named must have one of theirs."""
Events = Counter[tuple[str, str, str]]
"""How many events there were by topic, receiver and outcome (`told`, `filtered`, `full`)."""
OUTCOMES: Final = ("told", "filtered", "full")
_TOLD, _FILTERED, _FULL = range(len(OUTCOMES))
_Filter = list[tuple[Callable[[object], object], frozenset[object]]]
_Line = tuple[int, Ref[Any], list[_Filter]]
"""In the table, under a type of event: where its counts begin, a receiver, and filters one of which it must pass."""


class WrongRoute(TroupeError):
    """A route that would lead nowhere, or an event that no table knows; a silent nothing otherwise."""


@dataclass(frozen=True, slots=True)
class Route(Generic[E]):
    """Events of this type, or of all types whose topics match this pattern, go to each of these receivers.

    A topic is the type's module in `messages/` and its name, such as `claude.BreakerChanged`; patterns are those of a
    shell, such as `claude.*`. With `where`, such as `{"state": {"open"}}`, only those events go whose fields say so.
    Who is reached by several routes is told once.
    """

    of: type[E] | str
    to: tuple[Ref[E], ...]
    where: Where = field(default_factory=dict[str, AbstractSet[object]])


def topic(event: type[object]) -> str:
    """The module that an event is in, and its name."""
    return f"{event.__module__.rpartition('.')[2]}.{event.__name__}"


class _Tally(threading.local):
    """Counts of the thread that looks at them, so that each count has one writer and needs no lock."""

    def __init__(self, everyones: list[list[int]], size: int) -> None:
        self.counts = [0] * size
        everyones.append(self.counts)


class Bus:
    """Publishes these types of events along these routes.

    Raises WrongRoute for a type or a pattern that is none of the events, for a field that they have not, and for a
    value that the field never has.
    """

    def __init__(self, events: Iterable[type[object]], routes: Iterable[Route[Any]]) -> None:
        found: dict[type[object], dict[Ref[Any], list[Where]]] = {event: {} for event in events}
        for route in routes:
            for event in _matching(route, found):
                _check(route.where, event)
                for ref in route.to:
                    found[event].setdefault(ref, []).append(route.where)
        self._table = dict[type[object], tuple[int, list[_Line]]]()
        self._columns = list[tuple[str, str, str]]()  # of the counts; how often a topic was published has no receiver
        for event, receivers in found.items():
            lines = [self._line(event, ref, filters) for ref, filters in receivers.items()]
            self._table[event] = len(self._columns), lines
            self._columns.append((topic(event), "", ""))
        self._everyones = list[list[int]]()
        self._tally = _Tally(self._everyones, len(self._columns))

    def _line(self, event: type[object], ref: Ref[Any], filters: list[Where]) -> _Line:
        begin = len(self._columns)
        self._columns += [(topic(event), ref.name, outcome) for outcome in OUTCOMES]
        passes: list[_Filter] = [
            [(attrgetter(name), frozenset(values)) for name, values in where.items()] for where in filters
        ]
        return begin, ref, passes if all(filters) else []

    def publish(self, event: object) -> None:
        """Tell whoever wants it; only what is committed may be said. Raises WrongRoute for what is no event."""
        try:
            published, lines = self._table[type(event)]
        except KeyError:
            raise WrongRoute(f"{topic(type(event))}: not an event; name it in messages/events.py") from None
        counts = self._tally.counts
        counts[published] += 1
        for number, ref, filters in lines:
            if filters and not _passes_one(event, filters):
                counts[number + _FILTERED] += 1
            elif ref.offer(event):
                counts[number + _TOLD] += 1
            else:
                counts[number + _FULL] += 1

    def told(self, name: str) -> set[type[object]]:
        """The types of events that may come to the receiver of this name."""
        return {event for event, (_, lines) in self._table.items() if any(ref.name == name for _, ref, _ in lines)}

    def counts(self) -> Events:
        """What has become of the events so far, one behind at most; all that there may be are there, with 0."""
        return Events({key: count for key, count in self._sums() if key[1]})

    def published(self) -> dict[str, int]:
        """How many events of each topic were published, whoever wanted them; one behind at most."""
        return {topic: count for (topic, receiver, _), count in self._sums() if not receiver}

    def _sums(self) -> Iterable[tuple[tuple[str, str, str], int]]:
        return zip(self._columns, map(sum, zip(*self._everyones.copy(), strict=True)), strict=True)


def _passes_one(event: object, filters: list[_Filter]) -> bool:
    for where in filters:
        for field_of, values in where:
            if field_of(event) not in values:
                break
        else:
            return True
    return False


def _matching(route: Route[Any], events: Iterable[type[object]]) -> list[type[object]]:
    pattern = route.of if isinstance(route.of, str) else None
    found = [event for event in events if event is route.of or (pattern and fnmatchcase(topic(event), pattern))]
    if not found:
        of, there = pattern or topic(route.of), ", ".join(map(topic, events))  # type: ignore[arg-type]
        raise WrongRoute(f"route of {of}: there are only {there}; mend it, or name the event in messages/events.py")
    return found


def _check(where: Where, event: Any) -> None:
    names, types = [each.name for each in fields(event)], get_type_hints(event)
    for name, values in where.items():
        if name not in names:
            raise WrongRoute(f"route to {topic(event)} where {name}: it has no such field, only {', '.join(names)}")
        for value in values:
            try:
                msgspec.convert(value, types[name])
            except msgspec.ValidationError as error:
                raise WrongRoute(f"route to {topic(event)} where {name} is {value!r}: it never is ({error})") from error
