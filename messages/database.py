"""What the database writer is asked, and what it answers."""

from dataclasses import dataclass

from messages.addresses import Refused, ReplyTo

SqlValue = int | float | str | bytes | None
Row = tuple[SqlValue, ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """One SQL statement and the values bound to its question marks; `storage/` makes them."""

    sql: str
    values: tuple[SqlValue, ...] = ()


@dataclass(frozen=True, slots=True)
class Many:
    """One SQL statement, run with the values of each of these rows; it returns nothing. A row costs half as much."""

    sql: str
    rows: tuple[tuple[SqlValue, ...], ...]


@dataclass(frozen=True, slots=True)
class Write:
    """Commit these statements together or none of them; the reply means that they are on disk."""

    statements: tuple[Statement | Many, ...]
    reply_to: ReplyTo["Committed | Refused"]


@dataclass(frozen=True, slots=True)
class Committed:
    """On disk, with what each statement returned, in no particular order within a statement."""

    about: object
    rows: tuple[tuple[Row, ...], ...]


@dataclass(frozen=True, slots=True)
class WritesHeld:
    """Event: nothing is committed for now, and why. What is sent meanwhile is refused as `full`."""

    why: str


@dataclass(frozen=True, slots=True)
class WritesResumed:
    """Event: writes are committed again."""


Message = Write
