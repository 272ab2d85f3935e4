"""What Alpaca knows of an account, asked for in pages and put together; nothing is taken that does not fit together."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final, TypeVar

from actors.brokers import alpaca_replies as replies
from actors.brokers.alpaca_line import Declined, Line, Unanswered
from actors.brokers.alpaca_replies import Fill, Placed, Raw, Rubbish, placed, stamp
from messages.broker import Activity, ClientId, Execution, Stage, View

T = TypeVar("T", Fill, Activity)

DAY: Final = 86_400_000_000
"""Microseconds."""
GTC: Final = 91 * DAY
"""No order works there for longer: Alpaca ends GTC after 90 days. So whatever still works was sent within this."""
PAGE, FILLS, PAGES = 500, 100, 200
"""Orders and executions in one answer, and answers that are asked for at most."""
LATE: Final = 45 * DAY
"""How long after the day that it counts for an activity may be booked; they are listed by that day."""
LONGEST: Final = 60_000_000
"""Microseconds in which all that one question takes must be listed."""
CHANGES: Final = 100
"""Times that the prices of an order are changed at most."""
LOOKS: Final = 3
"""Times that the account is looked at anew because something was executed meanwhile."""


class Book:
    """Asks over one line, in whoever's thread it is. All raise Unanswered and Rubbish.

    `names` are the ids of orders by Alpaca's, of every order that was met; the legs of a bracket have theirs from it.
    """

    def __init__(self, line: Line, utc: Callable[[], int]) -> None:
        self._line, self._utc = line, utc
        self._until = 0
        self.names = dict[str, ClientId]()

    def begin(self) -> None:
        """What is asked from now on has its time."""
        self._until = self._utc() + LONGEST

    def find(self, client_id: ClientId) -> Placed | None:
        """The order of this id, also the leg of a bracket, which is known by its parent."""
        parent, ending = ClientId(client_id[:-3]), client_id[-3:]
        leg = ending in {"-tp", "-sl"}
        try:
            said = self._line.ask(
                "GET", "/orders:by_client_order_id", {"client_order_id": parent if leg else client_id}
            )
            found = self.met(said, parent if leg else client_id)
            if leg:
                found = self.met(self._line.ask("GET", f"/orders/{found.id}", {"nested": "true"}), parent)
        except Declined as no:
            if no.status == 404:
                return None
            raise
        named = next((one for one in found.all() if one.order.client_id == client_id), None)
        return None if named is None else self._latest(named)

    def _latest(self, one: Placed, listed: Mapping[str, Placed] = MappingProxyType({})) -> Placed:
        """What works in its place after its prices were changed, by us or on Alpaca's pages; asked for unless listed.

        Of a bracket the stop that was reached replaces the target there; that is another order, and has another kind.
        """
        for _ in range(CHANGES):
            if one.replaced_by is None:
                return one
            if (other := listed.get(one.replaced_by)) is None:
                other = placed(self._line.checked("Order", self._line.ask("GET", f"/orders/{one.replaced_by}")))
            if other.kind != one.kind:
                return one
            self.names[other.id] = one.order.client_id
            one = replace(other, order=replace(other.order, client_id=one.order.client_id))
        raise Rubbish(f"order {one.order.client_id}: was replaced more than {CHANGES} times")

    def met(self, said: object, client_id: ClientId | None = None) -> Placed:
        """An order as it was told; its id and its legs' are kept."""
        order = placed(self._line.checked("Order", said))
        if client_id is not None and order.order.client_id != client_id:
            raise Rubbish(f"asked for order {client_id}, Alpaca tells of {order.order.client_id}")
        self.names |= {one.id: one.order.client_id for one in order.all()}
        return order

    def view(self, since: int) -> View:
        """Orders, positions and cash as of one moment: nothing was executed between the first and the last request."""
        fills, moved = self.fills(since), self.activities(since)
        for _ in range(LOOKS):
            orders = self.orders(since)
            positions = tuple(replies.shares(self._line.checked("Position", one)) for one in self._list("/positions"))
            cash = replies.cash(self._line.checked("TradeAccount", self._line.ask("GET", "/account")))
            before, fills, moved = (fills.keys(), moved), self.fills(since), self.activities(since)
            if (fills.keys(), moved) == before:
                executions = tuple(one.of(self.name(one.order_id)) for one in fills.values())
                _sound(orders, executions)
                ended_lately = (one for one in orders if one.order.stage is Stage.WORKING or one.updated >= since)
                seen = tuple(one.order for one in ended_lately)
                return View(seen, executions, positions, cash, activities=tuple(moved.values()))
        raise Unanswered("unknown", f"orders were executed each of {LOOKS} times that the account was looked at", 1.0)

    def orders(self, since: int) -> list[Placed]:
        """All that may still work, and all sent since; legs behind their parents."""
        met, after = dict[str, Placed](), min(since, self._utc()) - GTC
        for _ in range(PAGES):
            asked: dict[str, object] = {
                "status": "all",
                "limit": PAGE,
                "direction": "asc",
                "nested": "true",
                "after": stamp(after),
            }
            page = [self.met(one) for one in self._list("/orders", asked)]
            before = sum(len(one.all()) for one in met.values())
            for one in page:  # a page may end amid a bracket, which comes again whole
                if one.id not in met or len(one.legs) > len(met[one.id].legs):
                    met[one.id] = one
            # Whether Alpaca counts legs towards a page is not said: with them, one that was not full was the last.
            if sum(len(one.all()) for one in page) < PAGE:
                return self._named([one for parent in met.values() for one in parent.all()])
            if sum(len(one.all()) for one in met.values()) == before:
                break
            after = max(one.submitted for one in page) - 1_000  # those sent in the same moment come again
        raise Rubbish(f"Alpaca: the list of orders does not end after {len(met)}")

    def _named(self, listed: list[Placed]) -> list[Placed]:
        """Each order once, as what works in its place now, under the name that it has here."""
        there = {one.id: one for one in listed}
        later = {
            one.replaced_by for one in listed if one.replaced_by in there and there[one.replaced_by].kind == one.kind
        }
        return [self._latest(one, there) for one in listed if one.id not in later]

    def fills(self, since: int) -> dict[str, Fill]:
        """Executions from then on, by id; one that is told twice is one."""
        asked: dict[str, object] = {"after": stamp(since - 1_000_000)}  # exclusive there, and of an unknown fineness
        met = self._activities("/account/activities/FILL", asked, "execution", replies.fill)
        return {one.id: one for one in met.values() if one.at >= since}

    def activities(self, since: int) -> dict[str, Activity]:
        """What else has moved cash or shares, by id: all that may have been booked from then on, and some before."""
        asked: dict[str, object] = {"category": "non_trade_activity", "after": stamp(since - LATE)}
        return self._activities("/account/activities", asked, "activity", replies.activity)

    def _activities(
        self, path: str, asked: dict[str, object], what: str, read: Callable[[Raw], T | None]
    ) -> dict[str, T]:
        """By id; one that is told twice is one."""
        met = dict[str, T]()
        asked |= {"direction": "asc", "page_size": FILLS}
        for _ in range(PAGES):
            page = [replies.record(one) for one in self._list(path, asked)]
            for one in filter(None, map(read, page)):
                if met.setdefault(one.id, one) != one:
                    raise Rubbish(f"Alpaca: {what} {one.id} is told twice, and differently")
            if len(page) < FILLS:
                return met
            if asked.get("page_token") == page[-1].get("id"):
                break
            asked["page_token"] = page[-1].get("id")
        raise Rubbish(f"Alpaca: the list of {path} does not end after {len(met)}")

    def _list(self, path: str, asked: dict[str, object] | None = None) -> Iterator[object]:
        if self._utc() > self._until:
            raise Unanswered("unknown", f"Alpaca: lists took longer than {LONGEST / 1e6:g} s")
        said = self._line.ask("GET", path, asked)
        if not isinstance(said, list):
            raise Rubbish(f"Alpaca: {path} is not a list")
        yield from said

    def name(self, order_id: str) -> ClientId:
        """Whose execution it is."""
        if order_id not in self.names:
            self.orders(self._utc())  # by its parent, if it is a leg
        if order_id not in self.names:
            try:
                self.met(self._line.ask("GET", f"/orders/{order_id}"))
            except Declined as no:
                raise Rubbish(f"an execution is of order {order_id[:60]}, which is not there: {no}") from no
        return self.names[order_id]


def _sound(orders: list[Placed], executions: tuple[Execution, ...]) -> None:
    """Nothing is filled beyond what was ordered. Raises Rubbish."""
    left = {one.order.client_id: one.quantity for one in orders if one.quantity is not None}
    for one in executions:
        if one.client_id in left:
            left[one.client_id] -= one.quantity
            if left[one.client_id] < 0:
                raise Rubbish(f"order {one.client_id}: its executions are more than was ordered ({one.execution_id})")
