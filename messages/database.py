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
class Write:
    """Commit these statements together or none of them; the reply means that they are on disk."""

    statements: tuple[Statement, ...]
    reply_to: ReplyTo["Committed | Refused"]


@dataclass(frozen=True, slots=True)
class Committed:
    """On disk, with what each statement returned, in no particular order within a statement."""

    about: object
    rows: tuple[tuple[Row, ...], ...]


Message = Write
