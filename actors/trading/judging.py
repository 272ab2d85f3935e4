"""What becomes of a decision: sized, checked against the limits, and checked again before it goes out."""

import datetime as dt
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from decimal import Decimal
from typing import Final

from actors.domain import mandates as allowing
from actors.domain import risk, sizing, trading_state
from actors.domain.exposure import Exposure
from actors.domain.orders import Accepted, Denied, Limits, Proposal, Quote, Session, Stake, Standing
from actors.domain.sizing import Have, Unwanted
from actors.trading.pace import Pace
from actors.trading.sight import ENTRY, Market, Sight
from messages.broker import Execution, InForce, Kind, Side, Ticket, View
from messages.research import Decision
from messages.trading import Held, Order, OrderState, TradingState, TradingTerms
from messages.values import Symbol
from storage import bars, decisions, ledger, mandates, orders
from storage.connections import Reader

NEVER: Final = dt.date(9999, 12, 31)


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
        self._pace = Pace()

    def drafts(self, ids: Collection[str], busy: Collection[Order], now: int) -> dict[str, Order]:
        """The orders of these decisions, staged, or denied with the reason; of what there is no decision there is none.

        Each is judged as if those before it were kept.
        """
        found, records = dict[str, Order](), decisions.by_ids(self._read, ids)
        at = self._sight(busy, now)
        for record in (records[id_] for id_ in ids if id_ in records):
            decision = record.decision
            side = Side.BUY if decision.action == "BUY" else Side.SELL
            ticket = Ticket(orders.client_id(record.id, ENTRY), decision.symbol, side, Decimal(0))
            order = Order(
                ticket, record.id, record.correlation_id, self.broker, OrderState.STAGED, Decimal(0), Decimal(0), "",
                now, now + self._terms.approval_hours * 60 * orders.MINUTE,
            )  # fmt: skip
            found[record.id] = self._judged(order, decision, at, now)
            at.add(found[record.id])
        return found

    def again(self, order: Order, busy: Collection[Order], now: int) -> Order:
        """A staged order a person says yes to, revalued and checked as things stand now: approved, or why not."""
        if order.expires_at <= now:
            return replace(order, state=OrderState.EXPIRED, why="nobody has approved it in time")
        at = self._sight(busy, now)
        judged = self._judged(order, self._decision(order), at, now)
        if judged.state in {OrderState.STAGED, OrderState.APPROVED}:
            return replace(judged, state=OrderState.APPROVED, approved_by="person", mandate=None)
        if at.state is not TradingState.ACTIVE:
            return replace(judged, state=OrderState.STAGED)  # it may be asked for again when trading goes on
        return judged

    def still(self, order: Order, busy: Collection[Order], now: int) -> str | None:
        """Why an approved order may not be sent again, if so; it may be smaller no more, only not at all."""
        proposal = _proposal(order.ticket, self._decision(order).conviction)
        verdict = risk.check(proposal, self._limits, self._standing(order, self._sight(busy, now)))
        return None if isinstance(verdict, Accepted) else _why(verdict)

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
        equity, today = self.equity(), self.today
        if today is None:
            return None
        opened, peak = orders.day(self._read, today) or (equity, equity)
        state, why = trading_state.watch(equity, opened, peak, self._limits)
        return None if state is TradingState.ACTIVE else why

    def equity(self) -> Decimal:
        """What all of it is worth at the last closes."""
        return _equity(self._look(), ledger.held(self._read), ledger.cash(self._read))

    @property
    def today(self) -> dt.date | None:
        """The market's day."""
        return self._look().today

    # How it is judged

    def _judged(self, order: Order, decision: Decision, at: Sight, now: int) -> Order:
        symbol = decision.symbol
        standing = self._standing(order, at)
        quote = standing.quote
        price = Decimal(0) if quote is None else quote.price
        held = standing.positions.get(symbol)
        have = Have(held.quantity if held else Decimal(0), standing.cash - standing.reserved, standing.equity)
        sized = sizing.size(decision, have, quote, self._terms, self._limits)
        if isinstance(sized, Unwanted):
            return replace(order, price=price, state=OrderState.DENIED, why=f"{sized.code}: {sized.sentence}")
        stop, target = (decision.stop, decision.target) if sized.side is Side.BUY else (None, None)
        ticket = Ticket(
            order.id, symbol, sized.side, sized.quantity, Kind.MARKET, InForce.DAY, take_profit=target, stop_loss=stop
        )  # fmt: skip
        proposal = _proposal(ticket, decision.conviction)
        verdict = risk.check(proposal, self._limits, standing)
        if isinstance(verdict, Denied):
            return replace(order, ticket=ticket, price=price, state=OrderState.DENIED, why=_why(verdict))
        allowed = ", ".join(f"{bound} {quantity:f}" for bound, quantity in sized.allowed.items())
        sized_by = f"sized by {sized.bound} ({allowed})"
        lacks = self._lacks(proposal, at, now)
        if lacks is not None or at.mandate is None:
            return replace(order, ticket=ticket, price=price, why=f"{sized_by}{lacks or ''}")
        return replace(
            order, ticket=ticket, price=price, why=sized_by, state=OrderState.APPROVED, approved_by="mandate",
            mandate=at.mandate.hash,
        )  # fmt: skip

    def _lacks(self, proposal: Proposal, at: Sight, now: int) -> str | None:
        """Why it is not approved without a person's yes, though a person has allowed some of that beforehand."""
        kept, quote = at.mandate, at.market.quotes.get(proposal.symbol)
        if kept is None or quote is None:
            return None
        try:
            mandate = allowing.read(kept.text, kept.hash)
        except allowing.BadMandate as error:
            return f"; {error}"
        denied = allowing.allows(mandate, proposal, quote, at.sent.mandate, now)
        return None if denied is None else f"; {denied.sentence}"

    def _decision(self, order: Order) -> Decision:
        record = decisions.by_id(self._read, order.decision)
        assert record is not None, order.decision  # records are never deleted
        return record.decision

    def _sight(self, busy: Collection[Order], now: int) -> Sight:
        """Read what orders are judged on. `busy` counts as it stands there, whatever is on disk of it."""
        market, halted = self._look(), self._halted()
        with self._read.snapshot() as read:
            kept = {order.id: order for order in orders.outstanding(read)}
            positions, cash, mandate = ledger.held(read), ledger.cash(read), mandates.current(read)
            equity = _equity(market, positions, cash)
            opened, peak = (None if market.today is None else orders.day(read, market.today)) or (equity, equity)
            state = orders.state(read, self.broker)[0] if halted is None else TradingState.HALTED
            sent = self._pace.read(read, now, None if mandate is None else mandate.hash)
            ended = orders.by_ids(read, [order.id for order in busy if order.id not in kept])
        stakes = {held.symbol: Stake(held.quantity, _price(market, held.symbol)) for held in positions}
        sight = Sight(market, stakes, cash, equity, opened, max(peak, equity), state, mandate, sent, {})
        in_flight = {order.id: order for order in busy if order.id not in ended}
        for id_, each in kept.items():
            if id_ not in in_flight:
                sight.put(each)
        for id_, order in in_flight.items():
            if id_ in kept and not kept[id_].is_staged:
                sight.put(orders.rest(order))
            else:
                sight.add(order)
        sight.exposure = Exposure(stakes, sight.working.values(), sight.sectors)
        return sight

    def _standing(self, order: Order, at: Sight) -> Standing:
        market, quote = at.market, at.market.quotes.get(order.ticket.symbol)
        today = market.today or NEVER
        working, reserved = at.beside(order)
        return Standing(
            equity=at.equity,
            cash=at.cash,
            reserved=reserved,
            positions=at.positions,
            working=working,
            quote=quote,
            today=today,
            session=Session.UNKNOWN if market.today is None else Session.OPEN,
            day_start=at.day_start,
            peak=at.peak,
            orders_today=at.sent.day,
            orders_last_minute=at.sent.minute,
            state=at.state,
            sectors=at.sectors,
            exposure=at.exposure,
        )

    def _look(self) -> Market:
        """Read again where bars have changed."""
        stands = bars.stand(self._read)
        for symbol, stand in stands.items():
            if self._seen.get(symbol) != stand and (last := bars.last(self._read, symbol)) is not None:
                price, volume = Decimal(repr(last.close)), Decimal(int(last.volume))
                self._quotes[symbol] = Quote(price, last.session, volume)
        self._seen = stands
        return Market(self._quotes, max((quote.session for quote in self._quotes.values()), default=None))


def _equity(market: Market, held: Iterable[Held], cash: Decimal) -> Decimal:
    return cash + sum((each.quantity * _price(market, each.symbol) for each in held), Decimal(0))


def _price(market: Market, symbol: Symbol) -> Decimal:
    return market.quotes[symbol].price if symbol in market.quotes else Decimal(0)


def _proposal(ticket: Ticket, conviction: float | None) -> Proposal:
    return Proposal(
        ticket.symbol, ticket.side, ticket.quantity, ticket.kind, ticket.limit, ticket.stop, ticket.trail,
        ticket.take_profit, ticket.stop_loss, conviction,
    )  # fmt: skip


def _why(denied: Denied) -> str:
    return f"{denied.code}: {denied.sentence}"
