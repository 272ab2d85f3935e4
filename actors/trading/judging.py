"""What becomes of a decision: sized, checked against the limits, and checked again before it goes out."""

import datetime as dt
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from decimal import Decimal
from typing import Final

from actors.domain import hours, risk, sizing, trading_state
from actors.domain import mandates as allowing
from actors.domain.exposure import Exposure
from actors.domain.orders import Denied, Limits, Proposal, Quote, Stake, Standing
from actors.domain.sizing import Have, Unwanted
from actors.trading.halts import Halts
from actors.trading.pace import Pace, Sent
from actors.trading.sight import ENTRY, Market, Sight
from messages.broker import ClientId, Execution, InForce, Kind, Side, Ticket, View
from messages.research import Decision
from messages.trading import Held, Order, OrderState, TradingState, TradingTerms
from messages.values import UNIT, Symbol
from storage import bars, calendars, decisions, ledger, mandates, orders, sectors, states
from storage.connections import Reader
from storage.mandates import KeptMandate

NEVER: Final = dt.date(9999, 12, 31)


class Judge(Halts):
    """Decides on what is stored, and on orders that are not on disk yet; changes nothing.

    `calendar` says when the market is open, None where the market's time is that of its bars, as of the sample: it
    stands still at their last close.
    """

    def __init__(
        self,
        read: Reader,
        terms: TradingTerms,
        limits: Limits,
        halted: Callable[[], str | None],
        calendar: str | None,
        unfit: Callable[[Ticket], str | None] = lambda ticket: None,
        unconfirmed: Callable[[], str | None] = lambda: None,
    ) -> None:
        super().__init__(read, terms, halted, unconfirmed)
        self._terms, self._limits, self._unfit, self._calendar = terms, limits, unfit, calendar
        self.reconcile_every = terms.reconcile_minutes * 60.0
        self._quotes, self._seen = dict[Symbol, Quote](), dict[Symbol, tuple[int, bytes]]()
        self._pace = Pace()

    def drafts(self, ids: Collection[str], busy: Collection[Order], now: int) -> dict[str, Order]:
        """The orders of these decisions, staged, or denied with the reason; of what there is no decision there is none.

        Each is judged as if those before it were kept, whether or not the market is open: under a mandate it waits.
        """
        found, records = dict[str, Order](), decisions.by_ids(self._read, ids)
        at, expires = self._sight(busy, now), self._expires(now)
        for record in (records[id_] for id_ in ids if id_ in records):
            decision = record.decision
            side = Side.BUY if decision.action == "BUY" else Side.SELL
            ticket = Ticket(orders.client_id(record.id, ENTRY), decision.symbol, side, Decimal(0))
            order = Order(
                ticket, record.id, record.correlation_id, self.broker, OrderState.STAGED, Decimal(0), Decimal(0), "",
                now, expires,
            )  # fmt: skip
            found[record.id] = self._when_open(self._judged(order, decision, at, now), now)
            at.add(found[record.id])
        return found

    def again(self, order: Order, busy: Collection[Order], now: int) -> Order:
        """A staged order a person says yes to, revalued and checked as things stand now: approved, or why not."""
        if order.expires_at <= now:
            return replace(order, state=OrderState.EXPIRED, why="nobody has approved it in time")
        at = self._sight(busy, now)
        judged = self._judged(order, self._decision(order), at, now)
        if judged.state in {OrderState.STAGED, OrderState.APPROVED}:
            if (why := self.closed(judged, now)) is not None:
                return replace(judged, state=OrderState.STAGED, approved_by=None, why=why)
            return replace(judged, state=OrderState.APPROVED, approved_by="person", mandate=None)
        if at.state is not TradingState.ACTIVE:
            return replace(judged, state=OrderState.STAGED)  # it may be asked for again when trading goes on
        return judged

    def stand(self, those: Collection[Order], busy: Collection[Order], now: int) -> dict[ClientId, str]:
        """Why approved orders may not be sent, of those that may not; they may be smaller no more, only not at all.

        Limits of a day and a minute were looked at when they were approved, and count them since; a mandate holds again
        but for its number of orders.
        """
        found = dict[ClientId, str]()
        at = replace(self._sight(busy, now), sent=Sent(0, 0, 0), waiting=set())
        for order in those:
            if order.is_exit:
                if (why := self.kept(order, at, now)) is not None:
                    found[order.id] = why
                continue
            proposal = _proposal(order.ticket, self._decision(order).conviction)
            if (lapsed := _lapsed(order, at.mandate, now)) is not None:
                found[order.id] = lapsed
            elif isinstance(verdict := risk.check(proposal, self._limits, self._standing(order, at)), Denied):
                found[order.id] = _why(verdict)
            elif order.mandate is not None and (lacks := self._lacks(proposal, order, at, now)) is not None:
                found[order.id] = f"mandate: {lacks.removesuffix('; approve it')}"
        return found

    def waiting(self, order: Order, busy: Collection[Order], now: int) -> Order:
        """An order that waits for the market under a mandate, as things stand now: approved, or staged with the reason.

        Whatever stands against it may pass before it expires.
        """
        judged = self._when_open(self._judged(order, self._decision(order), self._sight(busy, now), now), now)
        return judged if judged.state is OrderState.APPROVED else replace(judged, state=OrderState.STAGED)

    def closed(self, order: Order, now: int) -> str | None:
        """Why the market does not let this order go now, if so."""
        denied = self._closed(order, now)
        return None if denied is None else _why(denied)

    def price(self, symbol: Symbol) -> Decimal | None:
        """The last price there is of a symbol."""
        quote = self._look().quotes.get(symbol)
        return None if quote is None else quote.price

    def exit(self, order: Order, busy: Collection[Order], now: int) -> str | None:
        """Why an exit may not be made, if so."""
        return self.kept(order, self._sight(busy, now), now)

    def kept(self, order: Order, sight: Sight, now: int) -> str | None:
        """Why an exit may not be sent, if so: its reason has gone, there is no price, or the market is closed.

        How much is ordered, and how often, is bounded for what is decided; a position is not kept for want of that.
        """
        if order.decision != self.closing() if order.flattens else self.is_halted:
            return f"trading_state: {self.state()[1] or 'trading goes on again'}; what is held stays"
        if (closed := self.closed(order, now)) is not None:
            return closed
        at = replace(
            self._standing(order, sight), state=TradingState.ACTIVE, working=(), orders_today=0, orders_last_minute=0,
            exposure=None,
        )  # fmt: skip
        limits = replace(self._limits, lot=UNIT, min_value=Decimal(0), max_orders_a_day=1, max_orders_a_minute=1)
        verdict = risk.check(_proposal(order.ticket, None), limits, at)
        return _why(verdict) if isinstance(verdict, Denied) else None

    def amended(self, order: Order, ticket: Ticket, busy: Collection[Order], now: int) -> str | None:
        """Why an order at work may not work at the prices of this ticket; it was counted, and had its size, before."""
        limits = replace(self._limits, lot=UNIT, min_value=Decimal(0), max_orders_a_day=1, max_orders_a_minute=1)
        at = self._sight(busy, now)
        standing = replace(self._standing(order, at), orders_today=0, orders_last_minute=0)
        if order.is_leg:  # it is cancelled before anything else is sold
            standing = replace(standing, working=(), exposure=None)
        verdict = risk.check(_proposal(ticket, 1.0), limits, standing)
        if isinstance(verdict, Denied):
            return _why(verdict)
        return None if standing.quote is None or not order.is_leg else _at_once(ticket, standing.quote)

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
        opened, peak = states.day(self._read, today) or (equity, equity)
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
        alone = replace(ticket, take_profit=None, stop_loss=None)
        order = replace(order, watched=self._unfit(ticket) is not None and self._unfit(alone) is None)
        proposal = _proposal(ticket, decision.conviction)
        verdict = risk.check(proposal, self._limits, standing)
        if isinstance(verdict, Denied):
            return replace(order, ticket=ticket, price=price, state=OrderState.DENIED, why=_why(verdict))
        allowed = ", ".join(f"{bound} {quantity:f}" for bound, quantity in sized.allowed.items())
        sized_by = f"sized by {sized.bound} ({allowed})"
        lacks = self._lacks(proposal, order, at, now)
        if lacks is not None or at.mandate is None:
            return replace(order, ticket=ticket, price=price, why=f"{sized_by}; {lacks}" if lacks else sized_by)
        return replace(
            order, ticket=ticket, price=price, why=sized_by, state=OrderState.APPROVED, approved_by="mandate",
            mandate=at.mandate.hash,
        )  # fmt: skip

    def _lacks(self, proposal: Proposal, order: Order, at: Sight, now: int) -> str | None:
        """Why it is not approved without a person's yes, though a person has allowed some of that beforehand."""
        kept, quote = at.mandate, at.market.quotes.get(proposal.symbol)
        if kept is None or quote is None:
            return None
        try:
            mandate = allowing.read(kept.text, kept.hash)
        except allowing.BadMandate as error:
            return str(error)
        denied = allowing.allows(mandate, proposal, quote, at.under_mandate(order), now)
        return None if denied is None else denied.sentence

    def _when_open(self, order: Order, now: int) -> Order:
        """The same, if the market lets it go; else staged. The mandate stays with what waits under it."""
        if order.state is OrderState.DENIED or (denied := self._closed(order, now)) is None:
            return order
        return replace(order, state=OrderState.STAGED, approved_by=None, why=f"{order.why}; {denied.sentence}")

    def _closed(self, order: Order, now: int) -> Denied | None:
        quote = None if self._calendar is None else self._look().quotes.get(order.ticket.symbol)
        if self._calendar is None or quote is None:
            return None
        return hours.closed(_proposal(order.ticket, None), quote, self._hours(self._calendar, now))

    def _expires(self, now: int) -> int:
        end = now + self._terms.approval_hours * 60 * orders.MINUTE
        return end if self._calendar is None else hours.deadline(self._hours(self._calendar, end))

    def _hours(self, calendar: str, at: int) -> hours.Hours:
        return hours.hours(calendar, calendars.around(self._read, calendar, at), at)

    def _decision(self, order: Order) -> Decision:
        record = decisions.by_id(self._read, order.decision)
        assert record is not None, order.decision  # records are never deleted
        return record.decision

    def _sight(self, busy: Collection[Order], now: int) -> Sight:
        """Read what orders are judged on. `busy` counts as it stands there, whatever is on disk of it."""
        market, halted = self._look(), self._halted() or self._unconfirmed()
        with self._read.snapshot() as read:
            kept = {order.id: order for order in orders.outstanding(read)}
            positions, cash, mandate = ledger.held(read), ledger.cash(read), mandates.current(read)
            equity = _equity(market, positions, cash)
            opened, peak = (None if market.today is None else states.day(read, market.today)) or (equity, equity)
            state, _ = states.state(read, self.broker, halted)
            sent = self._pace.read(read, now, None if mandate is None else mandate.hash)
            ended = orders.by_ids(read, [order.id for order in busy if order.id not in kept])
            known = sectors.known(read)
        stakes = {held.symbol: Stake(held.quantity, _price(market, held.symbol)) for held in positions}
        sight = Sight(market, stakes, cash, equity, opened, max(peak, equity), state, mandate, sent, known)
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
            reserved=(1 + self._limits.cash_buffer) * reserved,
            positions=at.positions,
            working=working,
            quote=quote,
            today=today,
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


def _lapsed(order: Order, given: KeptMandate | None, now: int) -> str | None:
    """Why its yes does not hold any more: a person's as long as it might be given, a mandate's while that is."""
    if order.expires_at <= now:
        return "approval: it has expired"
    if order.mandate is None:
        return None
    try:
        holds = (
            given is not None and given.hash == order.mandate and now < allowing.read(given.text, given.hash).expires_at
        )
    except allowing.BadMandate as error:
        return f"approval: {error}"
    return None if holds else f"approval: the mandate {order.mandate[:12]} that allowed it holds no more"


def _equity(market: Market, held: Iterable[Held], cash: Decimal) -> Decimal:
    return cash + sum((each.quantity * _price(market, each.symbol) for each in held), Decimal(0))


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


def _why(denied: Denied) -> str:
    return f"{denied.code}: {denied.sentence}"
