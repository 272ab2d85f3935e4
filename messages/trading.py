"""What the trading coordinator is asked, and what it answers: holdings, what they are worth, and orders."""

import datetime as dt
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import Final, Literal

from messages import broker
from messages.addresses import Refused, ReplyTo
from messages.broker import ClientId, Ticket
from messages.database import Committed, WritesHeld, WritesResumed
from messages.tasks import Run
from messages.values import CorrelationId, Symbol

OnStop = Literal["ask", "leave", "cancel", "flatten"]
"""What becomes of orders and positions when a desk that serves stops; `ask` at a terminal, and leave elsewhere."""
HALT: Final = "halt"
"""Who has approved an order that closes a position because trading halted."""
EXITS: Final = frozenset({HALT, "stop", "target"})
"""The same of all orders that close positions and that nobody decided: the last two are prices that were reached."""


class TradingState(StrEnum):
    """What may be sent: all that the checks let through, only what makes a position smaller, or nothing."""

    ACTIVE = "ACTIVE"
    REDUCING = "REDUCING"
    HALTED = "HALTED"


@dataclass(frozen=True, slots=True)
class TradingChanged:
    """Published when trading is in another state than before, and why; after a start only if it is not ACTIVE."""

    state: TradingState
    why: str


@dataclass(frozen=True, slots=True)
class TradingTerms:
    """How this desk trades; what bounds it stands in `actors.domain.risk.Limits`.

    A call of an analyst that is not among `analysts` is shown, not staged. A BUY raises to `target_weight`, a share of
    the equity; a difference of `band` of it or less is left alone. Of the equity `risk_per_trade` may be lost between
    price and stop, and `volume_share` of a session's volume may be ours. `costs` names the paper broker's preset.
    `when_halted` says what HALTED does to what is held, `on_stop` what becomes of orders when a desk that serves stops.
    `account` is there where `money` is real: the one account that is meant.
    """

    analysts: tuple[Literal["claude", "rules"], ...] = ("claude",)
    broker: Literal["paper", "alpaca"] = "paper"
    approval_hours: int = 24
    reconcile_minutes: int = 5
    costs: Literal["none", "us_retail", "us_per_share", "per_cent"] = "us_retail"
    volume_share: Decimal = Decimal("0.1")
    target_weight: Decimal = Decimal("0.05")
    band: Decimal = Decimal("0.01")
    risk_per_trade: Decimal = Decimal("0.01")
    when_halted: Literal["cancel", "flatten"] = "cancel"
    on_stop: OnStop = "ask"
    url_override: str = ""
    stream_override: str = ""
    money: Literal["paper", "real"] = "paper"
    account: str = ""

    @property
    def real_money(self) -> str | None:
        """The account whose real money is traded; None on paper."""
        return self.account if self.money == "real" else None


@dataclass(frozen=True, slots=True)
class Holding:
    """What is held of one symbol; `cost` is what one share cost, in the desk's currency."""

    symbol: Symbol
    quantity: Decimal
    cost: Decimal
    acquired: dt.date | None


@dataclass(frozen=True, slots=True)
class Held:
    """What the books say is held of one symbol; `cost` is what all of it cost, in the desk's currency."""

    symbol: Symbol
    quantity: Decimal
    cost: Decimal


@dataclass(frozen=True, slots=True)
class Import:
    """Open the books with these holdings and this cash; a former import is reversed in the same write."""

    holdings: tuple[Holding, ...]
    cash: Decimal
    origin: str
    correlation_id: CorrelationId
    reply_to: ReplyTo["Imported | Refused"]


@dataclass(frozen=True, slots=True)
class Imported:
    """The books are open; `transaction` is the ledger's number of the opening."""

    transaction: int


@dataclass(frozen=True, slots=True)
class Position:
    """One symbol of a valuation: quantity in shares, money in the desk's currency, `weight` of the whole value."""

    symbol: Symbol
    quantity: Decimal
    price: Decimal
    value: Decimal
    weight: float
    unrealised: Decimal


@dataclass(frozen=True, slots=True)
class PortfolioReturns:
    """What a portfolio would have earned each session at the weights of one day; see `actors.domain.returns`.

    `values` are daily log returns, little-endian float64, one for each calendar day from `first` on, NaN where there is
    none, as on the first and the last. As bytes nobody can write to them, they can be compared, and they stay small in
    a payload: 8 bytes a day.
    """

    first: dt.date
    values: bytes


@dataclass(frozen=True, slots=True)
class Valuation:
    """What the portfolio is worth at the closes of a session; positions in order of symbol.

    `returns` are those at the positions' weights; None only where a release that did not keep them has valued.
    """

    as_of: dt.date
    currency: str
    value: Decimal
    cash: Decimal
    positions: tuple[Position, ...]
    returns: PortfolioReturns | None = None


@dataclass(frozen=True, slots=True)
class Weight:
    """One symbol's share of the whole value."""

    symbol: Symbol
    weight: float


@dataclass(frozen=True, slots=True)
class Weights:
    """Of a valuation what facts need: nothing that is exact, which takes most of the time to read."""

    positions: tuple[Weight, ...]
    returns: PortfolioReturns | None = None


class OrderState(StrEnum):
    """How far an order is. From `approved` on it may be at the broker; the last seven are ends."""

    STAGED = "staged"
    APPROVED = "approved"
    WORKING = "working"
    FILLED = "filled"
    CANCELLED = "cancelled"
    LAPSED = "lapsed"
    REFUSED = "refused"
    REJECTED = "rejected"
    EXPIRED = "expired"
    DENIED = "denied"


@dataclass(frozen=True, slots=True)
class Order:
    """An order as it is kept. `ticket.client_id` is its id; `price` is the quote it was sized at.

    `why` says what sized it, or what ended it; `approved_by` is `person` or `mandate`, or one of EXITS, `mandate` that
    one's hash. `decision` is what brought it about; of an order by which a halt closes a position it names the halt.
    With `watched` its stop and target are watched here, since its broker cannot hold them.
    """

    ticket: Ticket
    decision: str
    correlation_id: CorrelationId
    broker: str
    state: OrderState
    filled: Decimal
    price: Decimal
    why: str
    staged_at: int
    expires_at: int
    approved_by: str | None = None
    mandate: str | None = None
    watched: bool = False

    @property
    def id(self) -> ClientId:
        """What tells it from all others, here and at the broker."""
        return self.ticket.client_id

    @property
    def is_leg(self) -> bool:
        """Whether it protects a position, and so is the broker's to begin and to end, if it can hold it."""
        return "-" in self.id

    @property
    def is_here(self) -> bool:
        """Whether it is a leg that is watched here, of which its broker knows nothing."""
        return self.watched and self.is_leg

    @property
    def is_exit(self) -> bool:
        """Whether it closes a position without a decision."""
        return self.approved_by in EXITS

    @property
    def flattens(self) -> bool:
        """Whether it closes a position because trading halted."""
        return self.approved_by == HALT

    @property
    def for_broker(self) -> Ticket:
        """What is sent: without its legs where those are watched here."""
        return replace(self.ticket, take_profit=None, stop_loss=None) if self.watched else self.ticket


@dataclass(frozen=True, slots=True)
class Approve:
    """A person says yes to a staged order; it is looked at anew, and sent."""

    order: ClientId
    reply_to: ReplyTo["Said | Refused"]


@dataclass(frozen=True, slots=True)
class Reject:
    """A person says no; the reason goes into the next question about the symbol."""

    order: ClientId
    reason: str
    reply_to: ReplyTo["Said | Refused"]


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Have the rest of an order cancelled."""

    order: ClientId
    reply_to: ReplyTo["Said | Refused"]


@dataclass(frozen=True, slots=True)
class Amend:
    """Have a working order work at another limit or stop; None leaves it as it is."""

    order: ClientId
    limit: Decimal | None
    stop: Decimal | None
    reply_to: ReplyTo["Said | Refused"]


@dataclass(frozen=True, slots=True)
class SetState:
    """Halt, reduce or resume, for `all` or for one broker. HALTED also has all working orders cancelled.

    With `flatten` positions are closed then, without it they are not, and with None it is as set by `when_halted`.
    """

    scope: str
    state: TradingState
    why: str
    reply_to: ReplyTo["Said | Refused"]
    flatten: bool | None = None


@dataclass(frozen=True, slots=True)
class Close:
    """The desk is about to stop: have working orders cancelled, and with `flatten` positions closed.

    Answered when that is done, as far as it can be. Nothing else is ordered until the desk has started again.
    """

    flatten: bool
    reply_to: ReplyTo["Said | Refused"]


@dataclass(frozen=True, slots=True)
class GiveMandate:
    """What a person allows to be ordered without a yes from now on; its text and hash as `actors.domain.mandates` has
    them. Without a text none is given any more."""

    text: str | None
    hash: str
    reply_to: ReplyTo["Said | Refused"]


@dataclass(frozen=True, slots=True)
class Said:
    """It is on disk; the sentence says what was done."""

    sentence: str


Instruction = Approve | Reject | Withdraw | Amend | SetState | Close | GiveMandate
Request = Import | Instruction
Message = (
    Request
    | Run
    | broker.Executed
    | broker.LookDue
    | broker.Found
    | broker.Absent
    | broker.Viewed
    | Committed
    | Refused
    | WritesHeld
    | WritesResumed
)
