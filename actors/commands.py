"""The commands about orders; run.py knows them by name."""

import time
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from actors import process
from actors.console.options import HomeOption, JsonOption, home_of

if TYPE_CHECKING:
    from actors.console.trading import What
    from messages.trading import TradingState
    from storage.home import Home

OrderArgument = Annotated[str, typer.Argument(metavar="ORDER", help="An order's id, or how it begins.")]
BrokerOption = Annotated[str, typer.Option(help="One broker, or all of them.")]


def orders(
    context: typer.Context,
    home: HomeOption = None,
    json: JsonOption = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many, newest first.")] = 20,
) -> None:
    """Show whether trading goes on, and the newest orders."""
    from actors.console import terminal
    from actors.console.real_money import halted
    from actors.console.trading import trading
    from actors.console.trading_pages import print_trading
    from actors.settings import reading

    place = home_of(context, home)
    read, source = process.reader(place)
    terminal.opening(source, json=json)
    terms = reading.load(place).trading
    found = trading(
        read, terms.broker, limit, halted(place, terms.real_money, time.time_ns() // 1_000), terms.real_money
    )
    terminal.as_json(found) if json else print_trading(found)


def approve(context: typer.Context, order: OrderArgument, home: HomeOption = None, json: JsonOption = False) -> None:
    """Say yes to a staged order: it is looked at anew, and sent."""
    _say(home_of(context, home), "approve", order, "", json=json)


def reject(
    context: typer.Context,
    order: OrderArgument,
    reason: Annotated[str, typer.Option(help="Why; Claude is told with the next question about the symbol.")],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Say no to a staged order."""
    _say(home_of(context, home), "reject", order, reason, json=json)


def cancel(context: typer.Context, order: OrderArgument, home: HomeOption = None, json: JsonOption = False) -> None:
    """Have the rest of a working order cancelled."""
    _say(home_of(context, home), "cancel", order, "", json=json)


def amend(
    context: typer.Context,
    order: OrderArgument,
    home: HomeOption = None,
    json: JsonOption = False,
    limit: Annotated[str | None, typer.Option(metavar="PRICE", help="Its limit from now on.")] = None,
    stop: Annotated[str | None, typer.Option(metavar="PRICE", help="Its stop from now on.")] = None,
) -> None:
    """Have a working order work at another limit or stop: a target, a stop-loss, or any order with such a price."""
    from actors.console import terminal
    from actors.console.trading import Prices

    place, prices = home_of(context, home), Prices(_price("--limit", limit), _price("--stop", stop))
    if prices == Prices():
        raise typer.BadParameter("say which price is to change, --limit or --stop")
    process.reader(place)  # where no desk has run no order works
    with process.door(place) as door:
        _opening(place, door.source, json=json)
        said = door.amend(order, prices)
    terminal.as_json(said) if json else terminal.line(f"{said.sentence[:1].upper()}{said.sentence[1:]}.")


def _price(option: str, written: str | None) -> Decimal | None:
    try:
        return None if written is None else Decimal(written)
    except InvalidOperation:
        raise typer.BadParameter(f"{option} {written}: write a price such as 98.50") from None


def halt(
    context: typer.Context,
    home: HomeOption = None,
    json: JsonOption = False,
    broker: BrokerOption = "all",
    reducing: Annotated[bool, typer.Option("--reducing", help="Go on with what makes positions smaller.")] = False,
    flatten: Annotated[
        bool | None, typer.Option("--flatten/--no-flatten", help="Close positions, or not, whatever is set.")
    ] = None,
    why: Annotated[str, typer.Option(help="Why, for whoever looks later.")] = "a person has halted it",
) -> None:
    """Send no order any more, and cancel those that work, until `resume`; a file HALT in the home does so, too.

    With --flatten, or where `when_halted` says so, positions are closed then.
    """
    from messages.trading import TradingState

    if reducing and flatten:
        raise typer.BadParameter("give one of --reducing and --flatten")
    state = TradingState.REDUCING if reducing else TradingState.HALTED
    _set(home_of(context, home), state, broker, why, flatten=flatten, json=json)


def resume(
    context: typer.Context, home: HomeOption = None, json: JsonOption = False, broker: BrokerOption = "all"
) -> None:
    """Trade again."""
    from messages.trading import TradingState

    _set(home_of(context, home), TradingState.ACTIVE, broker, "a person has resumed", json=json)


def mandate(
    context: typer.Context,
    home: HomeOption = None,
    json: JsonOption = False,
    max_order_value: Annotated[str | None, typer.Option(metavar="AMOUNT", help="Of one order at most.")] = None,
    max_orders_a_day: Annotated[int, typer.Option(min=0, help="Orders a day at most.")] = 5,
    symbol: Annotated[list[str] | None, typer.Option(help="These symbols alone; once for each.")] = None,
    side: Annotated[Literal["buy", "sell", "both"], typer.Option(help="What may be ordered.")] = "both",
    min_conviction: Annotated[float, typer.Option(min=0, max=1, help="Of a call at least.")] = 0.6,
    days: Annotated[int, typer.Option(min=1, max=365, help="How long it holds.")] = 30,
    narrow: Annotated[bool, typer.Option("--narrow", help="Only if no limit is wider than it is now.")] = False,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Take it back.")] = False,
) -> None:
    """Show the mandate, or give one: what is ordered without a person's yes, and for how long."""
    from actors.console import terminal
    from actors.console.trading import Wanted, mandated
    from actors.console.trading_pages import print_mandate

    place = home_of(context, home)
    read, source = process.reader(place)
    if max_order_value is None and not withdraw:
        _opening(place, source, json=json)
        found = mandated(read)
        terminal.as_json(found) if json else print_mandate(found)
        return
    wanted = None
    if max_order_value is not None:
        try:
            value = Decimal(max_order_value)
        except InvalidOperation:
            raise typer.BadParameter(f"--max-order-value {max_order_value}: write an amount such as 2000") from None
        sides: tuple[Literal["buy", "sell"], ...] = ("buy", "sell") if side == "both" else (side,)
        wanted = Wanted(value, max_orders_a_day, tuple(symbol or ()), sides, min_conviction, days, narrow)
    with process.door(place) as door:
        _opening(place, door.source, json=json)
        said = door.give(wanted)
    terminal.as_json(said) if json else terminal.line(f"{said.sentence[:1].upper()}{said.sentence[1:]}.")


def real_money(
    context: typer.Context,
    home: HomeOption = None,
    json: JsonOption = False,
    days: Annotated[int, typer.Option(min=1, max=90, help="How long it holds.")] = 30,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Take it back: from now on nothing is sent.")] = False,
) -> None:
    """Confirm at a terminal that real money is traded, in the one account that desk.toml names."""
    from actors.console import real_money as confirming
    from actors.console import terminal
    from actors.settings import reading
    from messages.trading import Said

    place = home_of(context, home)
    account = confirming.wanted(reading.load(place).trading, place)
    if withdraw:
        said = confirming.take_back(place, account, time.time_ns() // 1_000)
    else:
        confirming.may_begin(process.reader(place)[0] if place.holds_a_desk() else None, account, place)
        typed = terminal.typed(confirming.terms(account, days), json=json)
        said = confirming.give(place, account, typed, time.time_ns() // 1_000, days)
    terminal.as_json(Said(said)) if json else terminal.line(f"{said[:1].upper()}{said[1:]}.")


def _opening(place: "Home", source: str, *, json: bool) -> None:
    """What everything about orders opens with."""
    from actors.console import terminal
    from actors.settings import reading

    terminal.opening(source, json=json)
    terminal.real_money(reading.load(place).trading.real_money, json=json)


def _say(place: "Home", what: "What", of: str, reason: str, *, json: bool) -> None:
    from actors.console import terminal
    from actors.console.trading import followed
    from messages.trading import Said

    process.reader(place)  # where no desk has run there is nothing to say yes to
    with process.door(place) as door:
        _opening(place, door.source, json=json)
        said = door.say(what, of, reason)
        if what == "approve":
            said = Said(f"{said.sentence}; it is {followed(door, of)}")
    terminal.as_json(said) if json else terminal.line(f"{said.sentence[:1].upper()}{said.sentence[1:]}.")


def _set(
    place: "Home", state: "TradingState", scope: str, why: str, *, json: bool, flatten: bool | None = None
) -> None:
    from actors.console import terminal
    from actors.console.trading import closed
    from actors.settings import reading
    from messages.trading import Said
    from storage import states

    process.reader(place)
    with process.door(place) as door:
        _opening(place, door.source, json=json)
        said = door.set_state(state, scope, why, flatten=flatten)
        at = reading.load(place).trading.broker
        if any(halt.flatten for halt in states.halts(door.read, at)):
            said = Said(f"{said.sentence}; {closed(door, at)}")
    terminal.as_json(said) if json else terminal.line(f"{said.sentence[:1].upper()}{said.sentence[1:]}.")
