"""What a broker is asked, whichever it is, and what it says; also what an order is made of.

Quantities are in shares, prices and fees in the desk's currency, times in UTC as microseconds.
"""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import NewType

from messages.addresses import Refused, ReplyTo
from messages.market import ActionKind
from messages.values import Symbol

ClientId = NewType("ClientId", str)
"""What makes an order one order, at the broker too: 24 hexadecimal digits, a hash of decision and leg."""


class Side(StrEnum):
    """Which way the shares go."""

    BUY = "buy"
    SELL = "sell"


class Kind(StrEnum):
    """When an order is to be filled: at once, or at a price or better, or once a price was reached."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"
    TRAILING_STOP = "trailing_stop"


class InForce(StrEnum):
    """How long: to the end of the session, until it is cancelled, or what can be filled at once and no more."""

    DAY = "day"
    GTC = "gtc"
    IOC = "ioc"


@dataclass(frozen=True, slots=True)
class Ticket:
    """An order as a broker takes it.

    `limit` is there for LIMIT and STOP_LIMIT, `stop` for STOP and STOP_LIMIT, `trail` (an amount of currency that the
    stop stays behind the best price since) for TRAILING_STOP. With `take_profit` or `stop_loss` it is a bracket: when
    it is filled, a LIMIT and a STOP order the other way, GTC, of which one cancels the other; their ids are this one's
    with `-tp` and `-sl` behind it.
    """

    client_id: ClientId
    symbol: Symbol
    side: Side
    quantity: Decimal
    kind: Kind = Kind.MARKET
    in_force: InForce = InForce.DAY
    limit: Decimal | None = None
    stop: Decimal | None = None
    trail: Decimal | None = None
    take_profit: Decimal | None = None
    stop_loss: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Execution:
    """A part of an order was filled, or all of it. `session` is the day it counts for."""

    client_id: ClientId
    execution_id: str
    symbol: Symbol
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal
    session: dt.date
    at: int


class Stage(StrEnum):
    """How an order stands at its broker."""

    WORKING = "working"
    FILLED = "filled"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Seen:
    """An order as its broker knows it; `why` where it was rejected, cancelled or expired.

    `change` is the number of the last Replace that it works by; 0 for none.
    """

    client_id: ClientId
    stage: Stage
    filled: Decimal
    why: str = ""
    change: int = 0


@dataclass(frozen=True, slots=True)
class Shares:
    """What a broker says is held of a symbol; below zero it is short."""

    symbol: Symbol
    quantity: Decimal


class Cause(StrEnum):
    """Why cash or shares have moved without an order. SPLIT moves shares alone, UNKNOWN whatever it says."""

    FEE = "fee"
    DIVIDEND = "dividend"
    INTEREST = "interest"
    TRANSFER = "transfer"
    SPLIT = "split"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Activity:
    """What has moved an account without an order: `amount` of cash and `shares`, below zero where they have gone.

    `name` is what the broker calls it, `id` is its own there. `session` is the day it counts for, `at` when it was
    booked there.
    """

    cause: Cause
    id: str
    name: str
    symbol: Symbol | None
    amount: Decimal
    shares: Decimal
    session: dt.date
    at: int


@dataclass(frozen=True, slots=True)
class Adjusted:
    """An order that worked was changed by a split or a dividend, when what was executed before that was all there was.

    How, `actors.domain.actions.adjusted` says.
    """

    client_id: ClientId
    symbol: Symbol
    session: dt.date
    kind: ActionKind


@dataclass(frozen=True, slots=True)
class View:
    """All that a broker says of an account: its open orders and those ended lately, what was executed, what is held.

    `adjusted` are the orders that it has changed by itself; none where it does not say. `activities` are what else has
    moved it; none where a broker takes all it takes with the executions.
    """

    orders: tuple[Seen, ...]
    executions: tuple[Execution, ...]
    positions: tuple[Shares, ...]
    cash: Decimal
    adjusted: tuple[Adjusted, ...] = ()
    activities: tuple[Activity, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """The order is there, as the answer to Send or LookUp."""

    about: object
    order: Seen


@dataclass(frozen=True, slots=True)
class Absent:
    """The broker knows no order of this id."""

    about: object


@dataclass(frozen=True, slots=True)
class Viewed:
    """The answer to Look."""

    about: object
    view: View


@dataclass(frozen=True, slots=True)
class Send:
    """Take this order, once: another of the same client id is the same order.

    Refused with code `halted` it was not sent, since the file HALT is there; with any other it is not known.
    """

    ticket: Ticket
    reply_to: ReplyTo[Found | Refused]


@dataclass(frozen=True, slots=True)
class Flatten:
    """Take this order, once, as with Send: it closes a position, at the market and for the day, because trading halted.

    Where a halt is to close positions, this alone is sent although the file HALT is there; so it has no room for any
    other order. Trading makes it of the orders that a halt has brought about, and of no others.
    """

    client_id: ClientId
    symbol: Symbol
    side: Side
    quantity: Decimal
    reply_to: ReplyTo[Found | Refused]

    @property
    def ticket(self) -> Ticket:
        """As a broker takes it."""
        return Ticket(self.client_id, self.symbol, self.side, self.quantity)


@dataclass(frozen=True, slots=True)
class LookUp:
    """Is there an order of this id?"""

    client_id: ClientId
    reply_to: ReplyTo[Found | Absent | Refused]


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Cancel what is not filled of it."""

    client_id: ClientId
    reply_to: ReplyTo[Found | Absent | Refused]


@dataclass(frozen=True, slots=True)
class Replace:
    """Let a working order of which nothing is filled have these prices instead, None where it has no such price.

    It keeps its id here, whatever the broker calls it. `number` is that of the change, from 1 on; asked for twice it is
    made once, and whether it holds is said by `Seen.change`, here and in a LookUp. Refused with code `halted` or
    `declined` it was not made, and the order works as before; with any other it is not known.
    """

    client_id: ClientId
    number: int
    limit: Decimal | None
    stop: Decimal | None
    reply_to: ReplyTo[Found | Absent | Refused]


@dataclass(frozen=True, slots=True)
class Look:
    """Say all there is of the account; of executions those from `since` on, UTC in microseconds.

    Activities may be older: they are booked days after the session that they count for.
    """

    since: int
    reply_to: ReplyTo[Viewed | Refused]


@dataclass(frozen=True, slots=True)
class Executed:
    """It has happened; told to trading, which would otherwise see it with the next Look."""

    execution: Execution
    order: Seen


@dataclass(frozen=True, slots=True)
class LookDue:
    """What trading knows of the account may be out of date, and why: it is time for a Look.

    After a stream was connected (again), an order ended unfilled, or something was told that cannot be understood.
    """

    why: str


Request = Send | Flatten | LookUp | Withdraw | Replace | Look
