"""How much is held and ordered in all, and which limit an order would take it beyond.

What open orders may still make of a position counts in full: a symbol's extent is the larger of what it is worth with
its buying orders filled, and with its selling ones.
"""

from dataclasses import dataclass
from decimal import Decimal

from actors.domain.figures import part, percent
from actors.domain.orders import Code, Denied, Limits, Proposal, Quote, Standing, named, worth
from messages.broker import Side
from messages.values import Symbol


@dataclass(slots=True)
class _Reach:
    """A position's value, and what its open orders may add and take at most."""

    value: Decimal = Decimal(0)
    bought: Decimal = Decimal(0)
    sold: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class _Sums:
    """Over all symbols, filled orders included; `net` as far as it may go to the order's side."""

    gross: Decimal
    net: Decimal
    sector: Decimal


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
    reaches = _reaches(order, at, value)
    sums = _sums(at, reaches, sector, buys=buys)
    if not (sums.gross + at.equity).is_finite():
        return Denied(
            Code.STALE_PRICE,
            f"{named(order)}: what is held is worth {sums.gross}, of an equity of {at.equity}, which has no limit that "
            "can be checked; refresh the prices, and order then",
        )
    own = reaches[order.symbol]
    alone, whole = (own.value + value, own.value + own.bought) if buys else (own.value - value, own.value - own.sold)
    for code, figure, limit, key, what in (
        (Code.POSITION, abs(alone), limits.max_position, "max_position", "the position"),
        (Code.SYMBOL_AFTER_FILL, abs(whole), limits.max_symbol, "max_symbol", "the symbol with its open orders"),
        (Code.SECTOR, sums.sector, limits.max_sector, "max_sector", f"the sector {sector}"),
        (Code.GROSS, sums.gross, limits.max_gross, "max_gross", "all that is held and ordered"),
        (Code.NET, sums.net, limits.max_net, "max_net", f"what is {'long' if buys else 'short'}, less the opposite,"),
    ):
        if figure > limit * at.equity:
            return Denied(
                code,
                f"{named(order)}: {what} would be {part(figure, at.equity)} of the equity; {key} is {percent(limit)}: "
                "order less, or raise it",
            )
    return None


def _reaches(order: Proposal, at: Standing, value: Decimal) -> dict[Symbol, _Reach]:
    """Of each symbol that has open orders, the order itself included; the positions' values are still 0."""
    mosts, groups = [(order.symbol, order.side, value)], dict[tuple[Symbol, Side, str], Decimal]()
    for other in at.working:
        worth = other.quantity * other.price
        if other.group:
            key = other.symbol, other.side, other.group
            groups[key] = max(groups.get(key, worth), worth)
        else:
            mosts.append((other.symbol, other.side, worth))
    mosts += [(symbol, side, most) for (symbol, side, _), most in groups.items()]
    found = dict[Symbol, _Reach]()
    for symbol, side, most in mosts:
        if (reach := found.get(symbol)) is None:
            reach = found[symbol] = _Reach()
        if side is Side.BUY:
            reach.bought += most
        else:
            reach.sold += most
    return found


def _sums(at: Standing, reaches: dict[Symbol, _Reach], sector: str | None, *, buys: bool) -> _Sums:
    net = short = within = Decimal(0)
    sector_of = at.sectors.get
    for symbol, stake in at.positions.items():
        value = stake.quantity * stake.price
        if symbol in reaches:
            reaches[symbol].value = value
            continue
        net += value
        if value.is_signed():  # half of what abs() and another sum take, in the one loop whose time counts
            short += value
        if sector is not None and sector_of(symbol) == sector:
            within += abs(value)
    gross = net - 2 * short
    for symbol, reach in reaches.items():
        most, least = reach.value + reach.bought, reach.value - reach.sold
        extent = most if least >= 0 else max(abs(most), abs(least))
        gross += extent
        net += most if buys else least
        if sector is not None and sector_of(symbol) == sector:
            within += extent
    return _Sums(gross, net if buys else -net, within)
