"""What the stub keeps: orders, executions, positions and cash, by the rules that Alpaca documents."""

import datetime as dt
import json
from decimal import Decimal
from threading import RLock
from typing import Any

from tests.stub_alpaca import shapes
from tests.stub_alpaca.faults import Answer
from tests.stub_alpaca.shapes import Json

WORKING = {"new", "accepted", "held", "partially_filled", "pending_new"}
_SECOND = dt.timedelta(seconds=1)


class Exchange:
    """An account. Each thing that happens takes a second of `now`, which begins as the tests' clock does."""

    def __init__(self) -> None:
        self.now = dt.datetime(2013, 3, 1, 15, tzinfo=dt.UTC)
        self.orders = list[Json]()
        self.activities, self.moves = list[Json](), list[Json]()
        self.positions = dict[str, Decimal]()
        self.cash = Decimal(100_000)
        self.number = "PASTUB"
        self.counts_legs = False  # towards the limit of a page of orders
        self.nests = True  # what takes the place of a leg is listed with its bracket
        self.unlisted = 0  # so many of the last activities are not listed yet
        self.symbols = {"AAPL", "MSFT", "IBM"}
        self._lock, self._made = RLock(), 0

    def carry_out(self, method: str, path: str, told: Json) -> Answer:
        """One request."""
        with self._lock:
            status, said = self._carry_out(method, path, told)
            return Answer(status, b"" if said is None else json.dumps(said).encode())

    def fill(self, client_id: str, quantity: str, price: str, shift: dt.timedelta) -> tuple[Json, Json]:
        """Execute a part of an order: the activity, and a copy of the order as it then is."""
        with self._lock:
            self.now += _SECOND
            order = next(one for one in self.all() if one["client_order_id"] == client_id)
            filled = Decimal(order["filled_qty"]) + Decimal(quantity)
            left = max(Decimal(order["qty"]) - filled, Decimal(0))
            done = {"filled_qty": str(filled), "status": "partially_filled" if left else "filled"}
            order |= {**done, "filled_avg_price": price, "updated_at": shapes.stamp(self.now)}
            for leg in order["legs"] or ():
                leg["status"] = "new"
            way = 1 if order["side"] == "buy" else -1
            self.positions[order["symbol"]] = self.positions.get(order["symbol"], Decimal(0)) + way * Decimal(quantity)
            self.cash -= way * Decimal(quantity) * Decimal(price)
            self._made += 1
            activity = shapes.fill(self._made, order, quantity, price, str(left), self.now + shift)
            self.activities.append(activity)
            return activity, json.loads(json.dumps(order))

    def move(self, name: str, amount: str = "0", days_late: int = 0, **more: str) -> Json:
        """Move cash, and of a split shares, without an order: the activity, which others may be listed before."""
        with self._lock:
            self.now += _SECOND
            self.cash += Decimal(amount)
            if name == "SPLIT":
                self.positions[more["symbol"]] += Decimal(more["qty"])
            self._made += 1
            day = (self.now - dt.timedelta(days=days_late)).date()
            activity = shapes.moved(self._made, name, amount, day, self.now, **more)
            self.moves = sorted([*self.moves, activity], key=lambda one: one["id"])
            return activity

    def end(self, client_id: str, status: str) -> Json:
        """An order ends unfilled; a copy of it."""
        with self._lock:
            self.now += _SECOND
            order = next(one for one in self.all() if one["client_order_id"] == client_id)
            for one in (order, *(order["legs"] or ())):
                one |= {"status": status, "updated_at": shapes.stamp(self.now)}
            return dict(json.loads(json.dumps(order)))

    def all(self) -> list[Json]:
        """All orders, legs behind their parents."""
        return [one for order in self.orders for one in (order, *(order["legs"] or ()))]

    def _carry_out(self, method: str, path: str, told: Json) -> tuple[int, Any]:
        match method, path.strip("/").split("/"):
            case "POST", ["orders"]:
                return self._take(told)
            case "GET", ["orders"]:
                return 200, self._listed(told)
            case "GET", ["orders:by_client_order_id"]:
                asked = told["client_order_id"]
                found = [{**one, "legs": None} for one in self.all() if one["client_order_id"] == asked]
                return (200, found[0]) if found else (404, shapes.no(40410000, f"order not found for {asked}"))
            case "GET", ["orders", id_]:
                found = [one for one in self.all() if one["id"] == id_]
                nested = told.get("nested") == "true"
                if not found:
                    return 404, shapes.no(40410000, f"order not found for {id_}")
                return 200, found[0] if nested else {**found[0], "legs": None}
            case "PATCH", ["orders", id_]:
                return self._change(id_, told)
            case "DELETE", ["orders", id_]:
                found = [one for one in self.all() if one["id"] == id_]
                if not found:
                    return 404, shapes.no(40410000, f"order not found for {id_}")
                if found[0]["status"] not in WORKING:
                    return 422, shapes.no(42210000, f'order is already in "{found[0]["status"]}" state')
                self.end(found[0]["client_order_id"], "canceled")
                return 204, None
            case "GET", ["account", "activities", "FILL"]:
                return 200, self._activities(told)
            case "GET", ["account", "activities"]:
                return 200, self._moved(told)
            case "GET", ["positions"]:
                return 200, [shapes.position(symbol, str(held)) for symbol, held in self.positions.items() if held]
            case "GET", ["account"]:
                return 200, shapes.account(str(self.cash), self.number)
            case _:
                return 404, {"message": "Not Found"}

    def _take(self, told: Json) -> tuple[int, Any]:
        self.now += _SECOND
        price = Decimal(told.get("limit_price") or 100)
        if told["symbol"] not in self.symbols:
            return 422, shapes.no(40010001, f'asset "{told["symbol"]}" not found')
        if told["side"] == "buy" and price * Decimal(told["qty"]) > self.cash:  # looked at before the id, as there
            return 403, shapes.no(40310000, "insufficient buying power", buying_power=str(self.cash))
        if any(one["client_order_id"] == told["client_order_id"] for one in self.orders):
            return 422, shapes.no(40010001, "client_order_id must be unique")
        self._made += 1
        order = shapes.order(self._made, told, self.now)
        self.orders.append(order)
        other = {**told, "client_order_id": None, "side": "sell" if told["side"] == "buy" else "buy"}
        legs = list[Json]()
        for kind, name in (("limit", "take_profit"), ("stop", "stop_loss")):
            if name in told:
                self._made += 1
                leg = {**other, **told[name], "type": kind}
                legs.append(shapes.order(self._made, leg, self.now, status="held"))
        order["legs"] = legs or None
        return 200, order

    def _change(self, id_: str, told: Json) -> tuple[int, Any]:
        """Another order takes its place, in its bracket or beside it."""
        old = next((one for one in self.all() if one["id"] == id_), None)
        if old is None:
            return 404, shapes.no(40410000, f"order not found for {id_}")
        prices = {name: told.get(name, old[name]) for name in ("limit_price", "stop_price")}
        if old["status"] not in WORKING - {"accepted", "pending_new"}:
            return 422, shapes.no(42210000, f'cannot replace order in "{old["status"]}" state')
        if all(prices[name] == old[name] for name in prices):
            return 422, shapes.no(42210000, "order parameters are not changed")
        if any(one["client_order_id"] == told["client_order_id"] for one in self.all()):
            return 422, shapes.no(40010001, "client_order_id must be unique")
        self.now += _SECOND
        self._made += 1
        sent = {**old, **prices, "client_order_id": told["client_order_id"]}
        new = shapes.order(self._made, sent, self.now, status=old["status"])
        new["replaces"] = old["id"]
        old |= {"status": "replaced", "replaced_by": new["id"], "replaced_at": shapes.stamp(self.now)}
        parent = next((one for one in self.orders if old in (one["legs"] or ())), None)
        if parent is None or not self.nests:
            self.orders.append(new)
        else:
            parent["legs"].append(new)
        return 200, new

    def _listed(self, told: Json) -> list[Json]:
        after = dt.datetime.fromisoformat(told["after"])
        found = [one for one in self.orders if dt.datetime.fromisoformat(one["submitted_at"]) > after]
        assert (told["status"], told["direction"], told["nested"]) == ("all", "asc", "true")
        limit = int(told["limit"])
        if not self.counts_legs:
            return found[:limit]
        flat = [(order, leg) for order in found for leg in (None, *(order["legs"] or ()))][:limit]
        heads = [order for order, leg in flat if leg is None]
        legs = [leg for _, leg in flat]
        return [{**head, "legs": [leg for leg in head["legs"] or () if leg in legs] or None} for head in heads]

    def _activities(self, told: Json) -> list[Json]:
        after = dt.datetime.fromisoformat(told["after"])
        listed = self.activities[: len(self.activities) - self.unlisted]
        return _page([one for one in listed if dt.datetime.fromisoformat(one["transaction_time"]) > after], told)

    def _moved(self, told: Json) -> list[Json]:
        assert (told["category"], told["direction"]) == ("non_trade_activity", "asc")
        after = dt.datetime.fromisoformat(told["after"]).date().isoformat()
        return _page([one for one in self.moves if one["date"] > after], told)


def _page(found: list[Json], told: Json) -> list[Json]:
    ids = [one["id"] for one in found]
    begin = ids.index(told["page_token"]) + 1 if "page_token" in told else 0
    return found[begin : begin + int(told["page_size"])]
