"""What becomes of a decision: sized, checked against the limits, and checked again before it goes out."""

import datetime as dt
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from actors.domain import mandates as allowing
from actors.domain import risk, sizing, trading_state
from actors.domain.orders import Accepted, Denied, Limits, Proposal, Quote, Session, Stake, Standing, Working
from actors.domain.sizing import Have, Unwanted
from messages.broker import Execution, InForce, Kind, Side, Ticket, View
from messages.research import Decision
from messages.trading import Order, OrderState, TradingState, TradingTerms
from messages.values import UNIT, Symbol
from storage import bars, decisions, ledger, mandates, orders
from storage.connections import Reader

DAY: Final = 86_400 * 10**6
"""Microseconds."""
ENTRY: Final = "entry"
NEVER: Final = dt.date(9999, 12, 31)


@dataclass(frozen=True, slots=True)
class Market:
    """The last close of everything there is, and the market's day, which is the newest session among them."""

    quotes: dict[Symbol, Quote]
    today: dt.date | None


class Judge:
    """Decides on what is stored, and on orders that are not on disk yet; changes nothing."""

    def __init__(
        self,
        read: Reader,
        terms: TradingTerms,
        limits: Limits,
        halted: Callable[[], str | None],
    ) -> None:
        self._read, self._terms, self._limits, self._halted = read, terms, limits, halted
        self.broker, self.reconcile_every = terms.broker, terms.reconcile_minutes * 60.0
        self._quotes, self._seen = dict[Symbol, Quote](), dict[Symbol, tuple[int, bytes]]()

    def draft(self, id_: str, busy: Collection[Order], now: int) -> Order | None:
        """The order of this decision, staged, or denied with the reason; None if there is no such decision."""
        if (record := decisions.by_id(self._read, id_)) is None:
            return None
        decision = record.decision
        side = Side.BUY if decision.action == "BUY" else Side.SELL
        ticket = Ticket(orders.client_id(id_, ENTRY), decision.symbol, side, Decimal(0))
        expires = now + self._terms.approval_hours * 3_600 * 10**6
        order = Order(
            ticket, id_, record.correlation_id, self.broker, OrderState.STAGED, Decimal(0), Decimal(0), "", now, expires
        )
        return self._judged(order, decision, busy, now)

    def again(self, order: Order, busy: Collection[Order], now: int) -> Order:
        """A staged order a person says yes to, revalued and checked as things stand now: approved, or why not."""
        if order.expires_at <= now:
            return replace(order, state=OrderState.EXPIRED, why="nobody has approved it in time")
        judged = self._judged(order, self._decision(order), busy, now)
        if judged.state in {OrderState.STAGED, OrderState.APPROVED}:
            return replace(judged, state=OrderState.APPROVED, approved_by="person", mandate=None)
        if self._state()[0] is not TradingState.ACTIVE:
            return replace(judged, state=OrderState.STAGED)  # it may be asked for again when trading goes on
        return judged

    def still(self, order: Order, busy: Collection[Order], now: int) -> str | None:
        """Why an approved order may not be sent again, if so; it may be smaller no more, only not at all."""
        quote = self._quote(order.ticket.symbol)
        proposal = _proposal(order.ticket, self._decision(order).conviction)
        verdict = risk.check(proposal, self._limits, self._standing(order, quote, busy, now))
        return None if isinstance(verdict, Accepted) else _why(verdict)

    def amended(self, order: Order, ticket: Ticket, busy: Collection[Order], now: int) -> str | None:
        """Why an order at work may not work at the prices of this ticket; it was counted, and had its size, before."""
        limits = replace(self._limits, lot=UNIT, min_value=Decimal(0), max_orders_a_day=1, max_orders_a_minute=1)
        quote = self._quote(ticket.symbol)
        standing = replace(self._standing(order, quote, busy, now), orders_today=0, orders_last_minute=0)
        if order.is_leg:  # it is cancelled before anything else is sold
            standing = replace(standing, working=())
        verdict = risk.check(_proposal(ticket, 1.0), limits, standing)
        if isinstance(verdict, Denied):
            return _why(verdict)
        return None if quote is None or not order.is_leg else _at_once(ticket, quote)

    def wrong(self, order: Order, execution: Execution) -> str | None:
        """Why this execution cannot be one of this order."""
        ticket = order.ticket
        if (execution.symbol, execution.side) != (ticket.symbol, ticket.side):
            return f"order {order.id} is to {ticket.side} {ticket.symbol}, this is {execution.side} {execution.symbol}"
        if not all(each.is_finite() and each > 0 for each in (execution.quantity, execution.price)):
            return f"order {order.id}: {execution.quantity} at {execution.price} is no fill"
        if order.filled + execution.quantity > ticket.quantity:
            return (
                f"order {order.id} is for {ticket.quantity:f}, {order.filled:f} is filled; not {execution.quantity:f}"
            )
        return None

    def difference(self, view: View) -> str | None:
        """What the broker says otherwise than the books, to the last share and cent."""
        if not ledger.is_open(self._read):
            return None
        ours = {held.symbol: held.quantity for held in ledger.held(self._read)}
        theirs = {shares.symbol: shares.quantity for shares in view.positions if shares.quantity}
        for symbol in sorted(ours.keys() | theirs.keys()):
            if (here := ours.get(symbol, Decimal(0))) != (there := theirs.get(symbol, Decimal(0))):
                return f"reconciliation: {self.broker} holds {there:f} {symbol}, the books say {here:f}"
        if (cash := ledger.cash(self._read)) != view.cash:
            return f"reconciliation: {self.broker} has {view.cash:f} of cash, the books say {cash:f}"
        return None

    def lost(self) -> str | None:
        """Why trading is to be halted: too much was lost today, or since the peak."""
        equity, today = self.equity(), self._look().today
        if today is None:
            return None
        opened, peak = orders.day(self._read, today) or (equity, equity)
        state, why = trading_state.watch(equity, opened, peak, self._limits)
        return None if state is TradingState.ACTIVE else why

    def equity(self) -> Decimal:
        """What all of it is worth at the last closes."""
        quotes = self._look().quotes
        worth = (
            held.quantity * (quotes[held.symbol].price if held.symbol in quotes else Decimal(0))
            for held in ledger.held(self._read)
        )
        return ledger.cash(self._read) + sum(worth, Decimal(0))

    @property
    def today(self) -> dt.date | None:
        """The market's day."""
        return self._look().today

    # How it is judged

    def _judged(self, order: Order, decision: Decision, busy: Collection[Order], now: int) -> Order:
        symbol = decision.symbol
        quote = self._quote(symbol)
        standing = self._standing(order, quote, busy, now)
        order = replace(order, price=Decimal(0) if quote is None else quote.price)
        held = standing.positions.get(symbol)
        have = Have(held.quantity if held else Decimal(0), standing.cash - standing.reserved, standing.equity)
        sized = sizing.size(decision, have, quote, self._terms, self._limits)
        if isinstance(sized, Unwanted):
            return replace(order, state=OrderState.DENIED, why=f"{sized.code}: {sized.sentence}")
        stop, target = (decision.stop, decision.target) if sized.side is Side.BUY else (None, None)
        ticket = replace(
            order.ticket, side=sized.side, quantity=sized.quantity, kind=Kind.MARKET, in_force=InForce.DAY,
            take_profit=target, stop_loss=stop,
        )  # fmt: skip
        proposal = _proposal(ticket, decision.conviction)
        verdict = risk.check(proposal, self._limits, standing)
        if isinstance(verdict, Denied):
            return replace(order, ticket=ticket, state=OrderState.DENIED, why=_why(verdict))
        allowed = ", ".join(f"{bound} {quantity:f}" for bound, quantity in sized.allowed.items())
        order = replace(order, ticket=ticket, why=f"sized by {sized.bound} ({allowed})")
        return self._under_mandate(order, proposal, standing, now)

    def _under_mandate(self, order: Order, proposal: Proposal, standing: Standing, now: int) -> Order:
        """Approved without a person's yes where a person has allowed it beforehand."""
        if (kept := mandates.current(self._read)) is None or standing.quote is None:
            return order
        try:
            mandate = allowing.read(kept.text, kept.hash)
        except allowing.BadMandate as error:
            return replace(order, why=f"{order.why}; {error}")
        sent = orders.sent_under(self._read, kept.hash, now - DAY)
        denied = allowing.allows(mandate, proposal, standing.quote, sent, now)
        if denied is not None:
            return replace(order, why=f"{order.why}; {denied.sentence}")
        return replace(order, state=OrderState.APPROVED, approved_by="mandate", mandate=kept.hash)

    def _decision(self, order: Order) -> Decision:
        record = decisions.by_id(self._read, order.decision)
        assert record is not None, order.decision  # records are never deleted
        return record.decision

    def _standing(self, order: Order, quote: Quote | None, busy: Collection[Order], now: int) -> Standing:
        market, read = self._look(), self._read
        others = {each.id: each for each in (*orders.open_orders(read), *busy) if not _replaces(order, each)}
        today = market.today or NEVER
        equity = self.equity()
        opened, peak = (None if market.today is None else orders.day(read, today)) or (equity, equity)
        sent = orders.sent_since(read, now - DAY)
        return Standing(
            equity=equity,
            cash=ledger.cash(read),
            reserved=orders.reserved(others.values()),
            positions={held.symbol: Stake(held.quantity, _price(market, held.symbol)) for held in ledger.held(read)},
            working=tuple(_working(each) for each in others.values()),
            quote=quote,
            today=today,
            session=Session.UNKNOWN if market.today is None else Session.OPEN,
            day_start=opened,
            peak=max(peak, equity),
            orders_today=len(sent),
            orders_last_minute=sum(at >= now - 60 * 10**6 for at in sent),
            state=self._state()[0],
            sectors={},
        )

    def _state(self) -> tuple[TradingState, str]:
        if (halted := self._halted()) is not None:
            return TradingState.HALTED, halted
        return orders.state(self._read, self.broker)

    def _quote(self, symbol: Symbol) -> Quote | None:
        return self._look().quotes.get(symbol)

    def _look(self) -> Market:
        """Read again where bars have changed."""
        stands = bars.stand(self._read)
        for symbol, stand in stands.items():
            if self._seen.get(symbol) != stand and (last := bars.last(self._read, symbol)) is not None:
                price, volume = Decimal(repr(last.close)), Decimal(int(last.volume))
                self._quotes[symbol] = Quote(price, last.session, volume)
        self._seen = stands
        return Market(self._quotes, max((quote.session for quote in self._quotes.values()), default=None))


def _replaces(order: Order, other: Order) -> bool:
    """Whether the other does not count beside this one: it is the same, or protects what this one sells."""
    return other.id == order.id or (other.is_leg and other.ticket.symbol == order.ticket.symbol)


def _at_once(ticket: Ticket, quote: Quote) -> str | None:
    """A target on the wrong side of the market is filled at once, which is none."""
    if ticket.limit is None or (ticket.limit < quote.price if ticket.side is Side.BUY else ticket.limit > quote.price):
        return None
    side = "below" if ticket.side is Side.BUY else "above"
    return (
        f"price: the target {ticket.limit:f} is not {side} the last price {quote.price:f}; set it {side}, or cancel it"
    )


def _price(market: Market, symbol: Symbol) -> Decimal:
    return market.quotes[symbol].price if symbol in market.quotes else Decimal(0)


def _proposal(ticket: Ticket, conviction: float | None) -> Proposal:
    return Proposal(
        ticket.symbol, ticket.side, ticket.quantity, ticket.kind, ticket.limit, ticket.stop, ticket.trail,
        ticket.take_profit, ticket.stop_loss, conviction,
    )  # fmt: skip


def _working(order: Order) -> Working:
    ticket = order.ticket
    left = ticket.quantity - order.filled
    return Working(ticket.symbol, ticket.side, left, order.price, ENTRY, group=order.decision if order.is_leg else "")


def _why(denied: Denied) -> str:
    return f"{denied.code}: {denied.sentence}"
