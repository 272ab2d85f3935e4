"""How much is held and ordered in all, and which limit an order would take it beyond.

What open orders may still make of a position counts in full: a symbol's extent is the larger of what it is worth with
its buying orders filled, and with its selling ones.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, localcontext

from actors.domain.figures import part, percent
from actors.domain.orders import EXACT, Code, Denied, Limits, Proposal, Quote, Stake, Standing, Working, named, worth
from messages.broker import Side
from messages.values import Symbol


@dataclass(slots=True)
class _Reach:
    """A position's value, and what its open orders may add and take at most."""

    value: Decimal = Decimal(0)
    bought: Decimal = Decimal(0)
    sold: Decimal = Decimal(0)

    def ends(self) -> tuple[Decimal, Decimal, Decimal]:
        """What it may be at most, at least, and away from nothing."""
        most, least = self.value + self.bought, self.value - self.sold
        if not self.value.is_finite():
            return most, least, abs(self.value)
        return most, least, most if least >= 0 else max(abs(most), abs(least))

    def add(self, side: Side, worth: Decimal) -> None:
        """Take in an open order."""
        if side is Side.BUY:
            self.bought += worth
        else:
            self.sold += worth


class Exposure:
    """What all that is held and ordered may come to, in sum and by sector: worked out once for many orders.

    `most` is with all that buys filled, `least` with all that sells.
    """

    def __init__(
        self, positions: Mapping[Symbol, Stake], working: Iterable[Working], sectors: Mapping[Symbol, str]
    ) -> None:
        self.sectors, self._values = sectors, dict[Symbol, Decimal]()
        self.gross = self.most = self.least = Decimal(0)
        self._within = dict[str, Decimal]()
        with localcontext(EXACT):
            self._reaches = _reaches(working)
            net = short = Decimal(0)
            for symbol, stake in positions.items():
                self._values[symbol] = value = stake.quantity * stake.price
                if symbol in self._reaches:
                    self._reaches[symbol].value = value
                    continue
                net += value
                if value.is_signed():  # half of what abs() and another sum take, in the one loop whose time counts
                    short += value
            self.gross, self.most, self.least = net - 2 * short, net, net
            for symbol, reach in self._reaches.items():
                self._count(symbol, reach, 1)

    def add(self, other: Working) -> None:
        """Another open order, which is of no group."""
        with localcontext(EXACT):
            reach = self.of(other.symbol)
            self._count(other.symbol, reach, -1)
            reach.add(other.side, other.quantity * other.price)
            self._count(other.symbol, reach, 1)
            self._reaches[other.symbol] = reach

    def within(self, sector: str) -> Decimal:
        """What there is of one sector, away from nothing; summed when it is asked for first."""
        if (found := self._within.get(sector)) is None:
            of, reaches = self.sectors.get, self._reaches
            extents = [
                abs(value) for symbol, value in self._values.items() if of(symbol) == sector and symbol not in reaches
            ]
            extents += [reach.ends()[2] for symbol, reach in reaches.items() if of(symbol) == sector]
            found = self._within[sector] = sum(extents, Decimal(0))
        return found

    def of(self, symbol: Symbol) -> _Reach:
        """What there is of one symbol."""
        return self._reaches.get(symbol) or _Reach(self._values.get(symbol, Decimal(0)))

    def _count(self, symbol: Symbol, reach: _Reach, times: int) -> None:
        most, least, extent = reach.ends()
        self.most += times * most
        self.least += times * least
        self.gross += times * extent
        if (sector := self.sectors.get(symbol)) in self._within:
            self._within[sector] += times * extent


def held(order: Proposal, at: Standing) -> Decimal:
    """The shares that the order takes from: what is held, for a SELL; what is short, for a BUY."""
    stake = at.positions.get(order.symbol)
    if stake is None:
        return Decimal(0)
    return max(stake.quantity if order.side is Side.SELL else -stake.quantity, Decimal(0))


def queued(order: Proposal, at: Standing) -> Decimal:
    """The shares that the other open orders of its symbol and side may take at most."""
    groups, alone = dict[str, Decimal](), Decimal(0)
    for other in at.working:
        if other.symbol == order.symbol and other.side is order.side:
            if other.group:
                groups[other.group] = max(groups.get(other.group, Decimal(0)), other.quantity)
            else:
                alone += other.quantity
    return sum(groups.values(), alone)


def exceeded(order: Proposal, limits: Limits, at: Standing, quote: Quote) -> Denied | None:
    """The first limit that would not be kept if this and all open orders were filled, the worst of them."""
    value = worth(order, quote)
    buys, sector = order.side is Side.BUY, at.sectors.get(order.symbol)
    if (whole := at.exposure) is None or whole.sectors is not at.sectors:
        whole = Exposure(at.positions, at.working, at.sectors)
    if not (whole.gross + at.equity).is_finite():
        return Denied(
            Code.STALE_PRICE,
            f"{named(order)}: what is held is worth {whole.gross}, of an equity of {at.equity}, which has no limit "
            "that can be checked; refresh the prices, and order then",
        )
    before = whole.of(order.symbol)
    own = _own(order, at, before.value, value)
    (most_before, least_before, extent_before), (most, least, extent) = before.ends(), own.ends()
    net = whole.most - most_before + most if buys else least_before - least - whole.least
    within = Decimal(0) if sector is None else whole.within(sector) - extent_before + extent
    alone = own.value + value if buys else own.value - value
    for code, figure, limit, key, what in (
        (Code.POSITION, abs(alone), limits.max_position, "max_position", "the position"),
        (
            Code.SYMBOL_AFTER_FILL,
            abs(most if buys else least),
            limits.max_symbol,
            "max_symbol",
            "the symbol with its open orders",
        ),
        (Code.SECTOR, within, limits.max_sector, "max_sector", f"the sector {sector}"),
        (
            Code.GROSS,
            whole.gross - extent_before + extent,
            limits.max_gross,
            "max_gross",
            "all that is held and ordered",
        ),
        (Code.NET, net, limits.max_net, "max_net", f"what is {'long' if buys else 'short'}, less the opposite,"),
    ):
        if figure > limit * at.equity:
            return Denied(
                code,
                f"{named(order)}: {what} would be {part(figure, at.equity)} of the equity; {key} is {percent(limit)}: "
                "order less, or raise it",
            )
    return None


def _own(order: Proposal, at: Standing, value: Decimal, worth: Decimal) -> _Reach:
    """Of the order's symbol, the order itself included."""
    of_it = [other for other in at.working if other.symbol == order.symbol]
    own = _reaches(of_it).get(order.symbol, _Reach())
    own.value = value
    own.add(order.side, worth)
    return own


def _reaches(working: Iterable[Working]) -> dict[Symbol, _Reach]:
    """Of each symbol that has open orders; the positions' values are still 0."""
    found, groups = dict[Symbol, _Reach](), dict[tuple[Symbol, Side, str], Decimal]()
    for other in working:
        worth = other.quantity * other.price
        if other.group:
            key = other.symbol, other.side, other.group
            groups[key] = max(groups.get(key, worth), worth)
            continue
        if (reach := found.get(other.symbol)) is None:
            reach = found[other.symbol] = _Reach()
        reach.add(other.side, worth)
    for (symbol, side, _), most in groups.items():
        found.setdefault(symbol, _Reach()).add(side, most)
    return found
