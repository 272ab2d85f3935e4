"""What the market and its sources are asked, and what they answer: symbols, bars, sessions, splits and dividends."""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from messages.addresses import Refused, ReplyTo
from messages.tasks import Run
from messages.values import Symbol

Floats = NDArray[np.float64]
Sessions = NDArray[np.datetime64]


@dataclass(frozen=True, slots=True, eq=False)
class Bars:
    """Daily bars of one symbol in order of session; seven arrays of one length that nobody writes to.

    `sessions` are exchange dates (datetime64[D]); prices are as traded, in the desk's currency; `volume` is
    in shares as traded; `adj_close` is the source's close adjusted for splits and dividends up to its last bar.
    """

    sessions: Sessions
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    adj_close: Floats

    def __len__(self) -> int:
        return len(self.sessions)


class ActionKind(StrEnum):
    """What a company does to its shares."""

    DIVIDEND = "dividend"
    SPLIT = "split"


@dataclass(frozen=True, slots=True)
class Action:
    """A split or a dividend; from `session` on shares are new ones, or are traded without it.

    Of a SPLIT `value` new shares come for `per` old ones; a DIVIDEND is `value` in the desk's currency for `per` = 1
    share, as held before that session.
    """

    symbol: Symbol
    session: dt.date
    kind: ActionKind
    value: Decimal
    per: Decimal = Decimal(1)


@dataclass(frozen=True, slots=True)
class Listed:
    """An action, and the file and line in which it stands."""

    action: Action
    place: str


@dataclass(frozen=True, slots=True)
class TradingDay:
    """A session of an exchange, by its date there; times are UTC in microseconds.

    It is open from `opens` to `closes`. That day lasts there from `begins` to `ends`, which enclose what is open of it.
    """

    session: dt.date
    begins: int
    opens: int
    closes: int
    ends: int


@dataclass(frozen=True, slots=True)
class Resolve:
    """Which of these names, as a person typed them, the desk's source has prices for."""

    names: tuple[str, ...]
    reply_to: ReplyTo["Resolved | Refused"]


@dataclass(frozen=True, slots=True)
class Resolved:
    """The symbols found, by the name asked for, and the names that the source does not have."""

    known: tuple[tuple[str, Symbol], ...]
    unknown: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Fetch:
    """All daily bars a source has of this symbol."""

    symbol: Symbol
    reply_to: ReplyTo["Fetched | Refused"]


@dataclass(frozen=True, slots=True)
class Fetched:
    """The bars, not checked yet; row r of them stands in line `first_line + r` of `place`.

    `sector` is the symbol's as the source names it, None where that is not known; `actions` are all it has.
    """

    about: object
    symbol: Symbol
    bars: Bars
    place: str
    first_line: int
    sector: str | None = None
    actions: tuple[Listed, ...] = ()


SourceMessage = Resolve | Fetch
Message = Run | Fetched | Refused
