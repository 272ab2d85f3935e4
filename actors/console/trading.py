"""What a person says of orders and allows, and whether trading goes on; and all there is of an order."""

from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any, Final, Literal, Protocol

from actors.console import calendars
from actors.console.access import Access
from actors.console.views import SHORTEST, NotFound, Why, why
from actors.domain import mandates as allowing
from actors.domain.mandates import BadMandate, Mandate
from messages.broker import Execution, Side
from messages.correlation import Trace, within
from messages.errors import TroupeError
from messages.trading import (
    Amend,
    Approve,
    GiveMandate,
    Held,
    Order,
    OrderState,
    Reject,
    Said,
    SetState,
    TradingState,
    Withdraw,
)
from messages.values import Symbol
from storage import ledger, mandates, orders, states
from storage.connections import Reader
from storage.orders import Note

What = Literal["approve", "reject", "cancel"]


LOOK: Final = 0.05
"""Seconds between two looks at an order that was just approved."""
PATIENCE: Final = 5.0
"""Seconds after which a person has the terminal back though the broker has not said anything yet."""


class Following(Protocol):
    """What it takes to follow an order."""

    @property
    def read(self) -> Reader:
        """The desk's database."""
        ...

    def pause(self, seconds: float) -> None:
        """Wait a little."""
        ...


class NoReason(TroupeError):
    """A person's no comes with a reason: it goes into the next question about the symbol."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The limits a person gives; see `actors.domain.mandates.Mandate`. With `narrows` none of them may be wider."""

    max_order_value: Decimal
    max_orders_a_day: int
    symbols: tuple[str, ...]
    sides: tuple[Literal["buy", "sell"], ...]
    min_conviction: float
    days: int
    narrows: bool = False


@dataclass(frozen=True, slots=True)
class Prices:
    """What an order's prices are to be; None leaves one as it is."""

    limit: Decimal | None = None
    stop: Decimal | None = None


@dataclass(frozen=True, slots=True)
class WhyOrder:
    """The whole chain: the recommendation, the order, what happened to it, and what was executed.

    Behind an order by which a halt closes a position there is no recommendation. `real_money` is the account whose
    money is traded, where it is not paper.
    """

    order: Order
    journal: tuple[Note, ...]
    fills: tuple[Execution, ...]
    recommendation: Why | None
    real_money: str | None


@dataclass(frozen=True, slots=True)
class Trading:
    """Whether trading goes on, and the newest orders; `real_money` is the account, where it is not paper."""

    state: TradingState
    why: str
    orders: tuple[Order, ...]
    real_money: str | None


def say(access: Access, what: What, of: str, reason: str = "") -> Said:
    """Approve, reject or cancel an order; the beginning of its id is enough. Raises NotFound, DeskRefused."""
    order = find(access.read, of)
    with within(Trace(order.correlation_id)):
        match what:
            case "approve":
                calendars.refresh(access)
                return access.ask(Said, access.trading, partial(Approve, order.id))
            case "reject":
                if not reason.strip():
                    raise NoReason(f"order {order.id}: a rejection needs its reason; write it behind --reason")
                return access.ask(Said, access.trading, partial(Reject, order.id, reason.strip()))
            case "cancel":
                return access.ask(Said, access.trading, partial(Withdraw, order.id))


def amend(access: Access, of: str, prices: Prices) -> Said:
    """Have a working order work at other prices; the beginning of its id is enough. Raises NotFound, DeskRefused."""
    order = find(access.read, of)
    make: Any = partial(Amend, order.id, prices.limit, prices.stop)
    with within(Trace(order.correlation_id)):
        return access.ask(Said, access.trading, make)


def followed(door: Following, of: str) -> OrderState:
    """How an order stands that was approved just now, as soon as its broker has said so, or when patience is over."""
    for _ in range(round(PATIENCE / LOOK)):
        if (state := find(door.read, of).state) is not OrderState.APPROVED:
            return state
        door.pause(LOOK)
    return OrderState.APPROVED


def closed(door: Following, broker: str) -> str:
    """What has become of positions that are being closed, as soon as that is known, or when patience is over."""
    left = _left(door.read)
    for _ in range(round(PATIENCE / LOOK)):
        doubts = (halt.why for halt in states.halts(door.read, broker) if halt.cause == "books")
        if (doubt := next(doubts, None)) is not None:  # the broker says otherwise than the books
            return f"positions stay as they are: {doubt}"
        if all(order is not None and order.state in orders.ENDED for _, order in left):
            break
        door.pause(LOOK)
        left = _left(door.read)
    what = (f"{held.quantity:f} {held.symbol} ({_standing(order) if order else 'waits'})" for held, order in left)
    return f"held: {', '.join(what) or 'nothing any more'}"


def _left(read: Reader) -> list[tuple[Held, Order | None]]:
    """What is held, each with the newest order that is to close it."""
    with read.snapshot() as one:
        held, newest = ledger.held(one), orders.newest(one, 1_000)
    closing = {order.ticket.symbol: order for order in reversed(newest) if order.flattens}
    return [(each, closing.get(each.symbol)) for each in held]


def _standing(order: Order) -> str:
    return f"order {order.id[:8]} is {order.state}{f', {order.why}' if order.state in orders.ENDED else ''}"


def set_state(access: Access, state: TradingState, scope: str, why: str, *, flatten: bool | None = None) -> Said:
    """Halt, reduce or resume; see messages.trading.SetState. Raises DeskRefused."""

    def make(reply_to: Any) -> SetState:
        return SetState(scope, state, why, reply_to, flatten)

    return access.ask(Said, access.trading, make)


def give(access: Access, wanted: Wanted) -> Said:
    """Commit a mandate, for as long as it says. Raises DeskRefused, BadMandate."""
    expires = access.system.clock.utc() + wanted.days * 86_400 * 10**6
    mandate = Mandate(
        wanted.max_order_value, wanted.max_orders_a_day,
        frozenset(map(Symbol, wanted.symbols)) if wanted.symbols else None,
        frozenset(map(Side, wanted.sides)), wanted.min_conviction, expires,
    )  # fmt: skip
    if wanted.narrows:
        kept = mandates.current(access.read)
        if kept is None:
            raise BadMandate("mandate: there is none to be narrowed; give one")
        allowing.narrowed(allowing.read(kept.text, kept.hash), mandate)
    make: Any = partial(GiveMandate, allowing.text(mandate), allowing.digest(mandate))
    return access.ask(Said, access.trading, make)


def take_back(access: Access) -> Said:
    """No order goes out without a person's yes any more. Raises DeskRefused."""
    make: Any = partial(GiveMandate, None, "")
    return access.ask(Said, access.trading, make)


@dataclass(frozen=True, slots=True)
class Mandated:
    """The mandate that counts; times are UTC in microseconds. `unreadable` says why none of it holds, if so."""

    hash: str
    given_at: int
    mandate: Mandate | None
    unreadable: str | None = None


def mandated(read: Reader) -> Mandated | None:
    """What is ordered without a person's yes; None where nothing is."""
    if (kept := mandates.current(read)) is None:
        return None
    try:
        return Mandated(kept.hash, kept.at, allowing.read(kept.text, kept.hash))
    except BadMandate as error:
        return Mandated(kept.hash, kept.at, None, str(error))


def find(read: Reader, of: str) -> Order:
    """The order whose id begins like this. Raises NotFound."""
    wanted = of.strip().lower()
    found = orders.starting_with(read, wanted) if len(wanted) >= SHORTEST else []
    if len(found) != 1:
        what = "begins more than one order" if found else "is not the id of an order"
        raise NotFound(f"order {of}: {what}; `run.py orders` prints their ids")
    return found[0]


def is_order(read: Reader, of: str) -> bool:
    """Whether an order's id begins like this; a recommendation's has half as many characters."""
    wanted = of.strip().lower()
    return len(wanted) >= SHORTEST and bool(orders.starting_with(read, wanted))


def trading(read: Reader, broker: str, limit: int, halted: str | None, real_money: str | None) -> Trading:
    """What `run.py orders` shows; the file HALT holds whatever the database says."""
    state, sentence = states.state(read, broker, halted)
    return Trading(state, sentence, tuple(orders.newest(read, limit)), real_money)


def why_order(read: Reader, of: str, source: str, real_money: str | None) -> WhyOrder:
    """How this order came about, and what became of it. Raises NotFound."""
    order = find(read, of)
    journal, fills = orders.journal(read, order.id), orders.fills(read, order.id)
    recommendation = None if order.flattens else why(read, order.decision, source)
    return WhyOrder(order, tuple(journal), tuple(fills), recommendation, real_money)
