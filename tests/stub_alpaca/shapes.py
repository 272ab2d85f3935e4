"""Replies in the shape that Alpaca publishes, every field of them; amounts are text there too."""

import datetime as dt
from typing import Any
from uuid import UUID

Json = dict[str, Any]

ACCOUNT_ID = "1d9eed04-be39-4e01-9b84-a48ac5bbafcf"
_ASSET = "b0b6dd9d-8b9b-48a9-ba46-b9d54906e415"


def stamp(at: dt.datetime) -> str:
    """As Alpaca writes times: nine digits behind the point."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%f") + "000Z"


def order(number: int, sent: Json, at: dt.datetime, *, status: str = "accepted") -> Json:
    """An order as it is after it was taken."""
    return {
        "id": str(UUID(int=number)),
        "client_order_id": sent.get("client_order_id") or str(UUID(int=2**64 + number)),
        "created_at": stamp(at),
        "updated_at": stamp(at),
        "submitted_at": stamp(at),
        "filled_at": None,
        "expired_at": None,
        "canceled_at": None,
        "failed_at": None,
        "replaced_at": None,
        "replaced_by": None,
        "replaces": None,
        "asset_id": _ASSET,
        "symbol": sent["symbol"],
        "asset_class": "us_equity",
        "notional": None,
        "qty": sent["qty"],
        "filled_qty": "0",
        "filled_avg_price": None,
        "order_class": sent.get("order_class", ""),
        "order_type": sent["type"],
        "type": sent["type"],
        "side": sent["side"],
        "position_intent": f"{sent['side']}_to_open",
        "time_in_force": sent["time_in_force"],
        "limit_price": sent.get("limit_price"),
        "stop_price": sent.get("stop_price"),
        "status": status,
        "extended_hours": False,
        "legs": None,
        "trail_percent": None,
        "trail_price": sent.get("trail_price"),
        "hwm": None,
        "subtag": None,
        "source": None,
        "expires_at": stamp(at + dt.timedelta(days=90)),
    }


def fill(number: int, of: Json, quantity: str, price: str, left: str, at: dt.datetime) -> Json:
    """An account activity FILL; there is no account_id in the trading API's."""
    return {
        "id": f"{at:%Y%m%d%H%M%S}{at.microsecond // 1000:03d}::{UUID(int=2**65 + number)}",
        "activity_type": "FILL",
        "transaction_time": stamp(at),
        "type": "fill" if left == "0" else "partial_fill",
        "price": price,
        "qty": quantity,
        "side": of["side"],
        "symbol": of["symbol"],
        "leaves_qty": left,
        "order_id": of["id"],
        "cum_qty": of["filled_qty"],
        "order_status": of["status"],
    }


def moved(number: int, name: str, amount: str, day: dt.date, at: dt.datetime, **more: str) -> Json:
    """A non-trade activity, booked at that time for that day; what belongs to some types alone is `more`."""
    return {
        "id": f"{day:%Y%m%d}000000000::{UUID(int=2**67 + number)}",
        "activity_type": name,
        "date": day.isoformat(),
        "created_at": stamp(at),
        "net_amount": amount,
        "description": "",
        "status": "executed",
        "currency": "USD",
        **more,
    }


def update(event: str, of: Json, at: dt.datetime, **more: str) -> Json:
    """A message of the stream; its execution_id is none of the activities'."""
    told = {"event": event, "timestamp": stamp(at), "order": of, "execution_id": str(UUID(int=2**66)), **more}
    return {"stream": "trade_updates", "data": told}


def position(symbol: str, quantity: str) -> Json:
    """Shares held; below zero they are short."""
    amounts = ("market_value", "cost_basis", "unrealized_pl", "unrealized_plpc", "unrealized_intraday_pl")
    more = ("unrealized_intraday_plpc", "current_price", "lastday_price", "change_today", "avg_entry_price")
    return {
        "asset_id": _ASSET,
        "symbol": symbol,
        "exchange": "NASDAQ",
        "asset_class": "us_equity",
        "asset_marginable": True,
        "qty": quantity,
        "qty_available": quantity,
        "side": "short" if quantity.startswith("-") else "long",
        **dict.fromkeys((*amounts, *more), "100.5"),
    }


def account(cash: str, number: str) -> Json:
    """The account."""
    amounts = ("buying_power", "regt_buying_power", "non_marginable_buying_power", "portfolio_value", "equity")
    return {
        "id": ACCOUNT_ID,
        "account_number": number,
        "status": "ACTIVE",
        "crypto_status": "ACTIVE",
        "currency": "USD",
        "cash": cash,
        **dict.fromkeys(amounts, cash),
        **dict.fromkeys(("trading_blocked", "transfers_blocked", "account_blocked", "trade_suspended_by_user"), False),
        "created_at": "2013-01-01T18:20:20.272275Z",
        "multiplier": "2",
        "shorting_enabled": True,
        "last_equity": "122011.09751111286868",
        "accrued_fees": "0",
    }


def no(code: int, message: str, **more: str) -> Json:
    """An error."""
    return {"code": code, "message": message, **more}
