"""Alpaca: keeps the line to one account there, and says what it is told in the words of messages/broker.py."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any, Final, assert_never

from actors.brokers import alpaca_replies as replies
from actors.brokers.alpaca_account import Account
from actors.brokers.alpaca_book import Book
from actors.brokers.alpaca_line import Declined, Line, Unanswered
from actors.brokers.alpaca_replies import Rubbish, placed
from actors.brokers.alpaca_stream import Broken, Connected, Heard, Update, Updates
from actors.brokers.alpaca_tickets import body, changing, unfit
from actors.kernel.me import Me
from messages.addresses import Ref, ReplyTo
from messages.broker import (
    Absent,
    ClientId,
    Executed,
    Flatten,
    Found,
    Look,
    LookDue,
    LookUp,
    Replace,
    Request,
    Seen,
    Send,
    Stage,
    Ticket,
    Viewed,
    Withdraw,
)
from messages.values import UNIT

OVERLAP: Final = 60_000_000
"""Microseconds by which executions are asked for again, since they need not be listed in order."""
PAUSES: Final = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Seconds after which an execution that was announced is looked for again; then a Look is due."""
OURS: Final = re.compile(r"[0-9a-f]{24}(-tp|-sl)?")


@dataclass(frozen=True, slots=True)
class _Collect:
    """Look for the executions that were announced."""

    tries: int


Message = Request | Heard | _Collect


class AlpacaBroker:
    """Owns one HTTP session and one stream of updates. It blocks on the first, under its time-out.

    Executions are known by the id of their account activity, from the stream as well: an update only says that there
    is one to be asked for, since nothing promises that the two carry the same id, and then one fill would be two.
    `halted` says why nothing may be sent, and is looked at right before each request; `shut` the same of what closes
    positions.
    """

    def __init__(
        self,
        me: Me[Message],
        here: Ref[Message],
        trading: Ref[Executed | LookDue],
        account: Account,
        edges: tuple[Line, Updates],
        halted: Callable[[], str | None],
        *,
        shut: Callable[[], str | None],
    ) -> None:
        self._me, self._here, self._trading, self._account, self._halted = me, here, trading, account, halted
        self._shut = shut
        self._line, self._updates = edges
        self._book = Book(self._line, me.clock.utc)
        self._announced = dict[str, Decimal]()  # by Alpaca's id, how much of an order is filled
        self._told = dict[str, int]()  # executions and when they were, of the last minutes
        self._since = me.clock.utc()
        self._gate = 0  # UTC in microseconds; nothing is asked before
        self._known = account.number is None

    def on_start(self) -> None:
        """Listen; nothing is asked of Alpaca before someone asks. Raises BadAccount where alpaca-py is missing."""
        self._line.open()
        self._updates.start(self._here.offer)

    def on_stop(self) -> None:
        """End the thread and the session."""
        self._updates.stop()
        self._line.close()

    def on_receive(self, message: Message) -> None:
        """See messages/broker.py."""
        match message:
            case Send() | Flatten():
                self._send(message)
            case LookUp():
                self._answer(message.reply_to, partial(self._look_up, message.client_id, message.reply_to.about))
            case Withdraw():
                self._answer(message.reply_to, partial(self._withdraw, message.client_id, message.reply_to.about))
            case Replace():
                self._replace(message)
            case Look():
                about = message.reply_to.about
                self._answer(message.reply_to, lambda: Viewed(about, self._book.view(message.since)))
            case Connected():
                self._trading.tell(
                    LookDue(f"Alpaca's updates are heard{f' again: {message.lost}' if message.lost else ''}")
                )
            case Update():
                self._heard([message, *self._me.take_waiting(Update, 200)])
            case Broken():
                raise RuntimeError(f"the thread of Alpaca's updates has ended: {message.why}")
            case _Collect():
                self._collect(message.tries)
            case _:
                assert_never(message)

    def _answer(self, reply_to: ReplyTo[Any], make: Callable[[], object]) -> None:
        """Exactly one answer: what was made, or why there is none."""
        now = self._me.clock.utc()
        if now < self._gate:
            reply_to.refuse("limited", "Alpaca takes no more requests for a while (429)", self._gate)
            return
        try:
            self._book.begin()
            self._recognise()
            reply_to.tell(make())
        except Unanswered as no:
            retry_at = None if no.retry_in is None else self._me.clock.utc() + round(no.retry_in * 1_000_000)
            if no.code == "limited" and retry_at is not None:
                self._gate = retry_at
            reply_to.refuse(no.code, str(no), retry_at)
        except Rubbish as no:
            reply_to.refuse("rubbish", str(no))
        except Declined as no:
            reply_to.refuse("rubbish", f"{no}, where that is no answer")
        except _Halted as no:
            reply_to.refuse("halted", str(no))

    def _recognise(self) -> None:
        """Where money is real, only the account that a person has confirmed."""
        if not self._known:
            number = self._line.checked("TradeAccount", self._line.ask("GET", "/account")).get("account_number")
            if number != self._account.number:
                raise Unanswered("authentication", f"the keys are not those of account {self._account.number}")
            self._known = True

    def _send(self, message: Send | Flatten) -> None:
        halted = self._shut if isinstance(message, Flatten) else self._halted
        ticket, about = message.ticket, message.reply_to.about
        if (why := unfit(ticket)) is not None:
            message.reply_to.tell(Found(about, Seen(ticket.client_id, Stage.REJECTED, Decimal(0), why)))
        else:
            self._answer(message.reply_to, lambda: Found(about, self._post(ticket, halted)))

    def _post(self, ticket: Ticket, halted: Callable[[], str | None]) -> Seen:
        sent = body(ticket)
        self._line.open()
        if (why := halted()) is not None:
            raise _Halted(f"{ticket.client_id} was not sent: {why}")
        try:
            said = self._line.ask("POST", "/orders", sent)
        except Declined as no:
            # Sent before and not heard of, it is there: then its id is taken, or it has used up the buying power.
            if (there := self._book.find(ticket.client_id)) is not None:
                return there.order
            if "unique" in str(no):
                raise Unanswered("unknown", f"{no}, and yet there is no order {ticket.client_id}") from no
            return Seen(ticket.client_id, Stage.REJECTED, Decimal(0), str(no))
        return self._book.met(said, ticket.client_id).order

    def _look_up(self, client_id: ClientId, about: object) -> Found | Absent:
        there = self._book.find(client_id)
        return Absent(about) if there is None else Found(about, there.order)

    def _withdraw(self, client_id: ClientId, about: object) -> Found | Absent:
        there = self._book.find(client_id)
        if there is not None and there.order.stage is Stage.WORKING:
            try:
                self._line.ask("DELETE", f"/orders/{there.id}")
            except Declined as no:
                if no.status not in {404, 422}:  # it has ended meanwhile
                    raise
            there = self._book.find(client_id)
        return Absent(about) if there is None else Found(about, there.order)

    def _replace(self, message: Replace) -> None:
        about = message.reply_to.about
        try:
            self._answer(message.reply_to, lambda: self._change(message, about))
        except _Declined as no:
            message.reply_to.refuse("declined", str(no))

    def _change(self, asked: Replace, about: object) -> Found | Absent:
        """Another order takes its place there, under an id that is taken once; it goes by the same name here."""
        there = self._book.find(asked.client_id)
        if there is None or there.order.stage is not Stage.WORKING or there.order.change >= asked.number:
            return Absent(about) if there is None else Found(about, there.order)
        if there.order.filled:
            raise _Declined(f"{there.order.filled:f} of order {asked.client_id} are filled already")
        if (why := self._halted()) is not None:
            raise _Halted(f"{asked.client_id} was not changed: {why}")
        try:
            said = self._line.ask("PATCH", f"/orders/{there.id}", changing(asked))
        except Declined as no:
            there = self._book.find(asked.client_id)  # it may have been filled, or changed and not heard of
            if there is None or there.order.stage is not Stage.WORKING or there.order.change >= asked.number:
                return Absent(about) if there is None else Found(about, there.order)
            raise _Declined(str(no)) from no
        self._line.checked("Order", said)
        there = self._book.find(asked.client_id)
        if there is not None and there.order.stage is Stage.WORKING and there.order.change < asked.number:
            raise Unanswered("unknown", f"order {asked.client_id} is being changed", 1.0)
        return Absent(about) if there is None else Found(about, there.order)

    def _heard(self, updates: list[Update]) -> None:
        """Executions are asked for; of what else has ended an order, or is not understood, a Look will tell."""
        due = list[str]()
        before = len(self._announced)
        for update in updates:
            try:
                if (why := self._announce(update.said)) is not None:
                    due.append(why)
            except Rubbish as no:
                due.append(str(no))
        if due:
            self._trading.tell(LookDue(due[0]))
        if self._announced and not before:
            self._collect(0)

    def _announce(self, said: object) -> str | None:
        message = replies.record(said)
        if message.get("stream") != "trade_updates":
            return None
        update = self._line.checked("TradeUpdate", message.get("data"))
        order = placed(update["order"])
        if OURS.fullmatch(order.order.client_id):  # a leg has an id of Alpaca's, and is known by its parent
            self._book.names[order.id] = order.order.client_id
        if update["event"] in {"fill", "partial_fill"}:
            quantity = replies.amount(update.get("qty"), "trade update: qty", least=UNIT)
            if quantity > order.order.filled:
                raise Rubbish(f"order {order.order.client_id}: {quantity} more are filled, in all {order.order.filled}")
            if order.order.filled > self._announced.get(order.id, Decimal(0)):
                self._announced[order.id] = order.order.filled
            return None
        ended = order.order.stage not in {Stage.WORKING, Stage.FILLED}
        return f"order {order.order.client_id} is {order.order.stage}" if ended else None

    def _collect(self, tries: int) -> None:
        """Tell trading what was executed and not told yet; if what was announced is not among it, look again."""
        why = "it is not listed"
        try:
            if self._me.clock.utc() < self._gate:
                raise Unanswered("limited", "too many requests")
            self._book.begin()
            self._recognise()
            for one in self._book.fills(self._since - OVERLAP).values():
                if one.id not in self._told:
                    name = self._book.name(one.order_id)
                    self._trading.tell(Executed(one.of(name), Seen(name, one.stage, one.filled)))
                    self._told[one.id], self._since = one.at, max(self._since, one.at)
                if one.filled >= self._announced.get(one.order_id, one.filled):
                    self._announced.pop(one.order_id, None)
        except (Unanswered, Rubbish, Declined) as no:
            why = str(no)
        self._told = {id_: at for id_, at in self._told.items() if at >= self._since - 2 * OVERLAP}
        if self._announced and tries < len(PAUSES):
            self._me.after(PAUSES[tries], _Collect(tries + 1))
        elif self._announced:
            self._announced.clear()
            self._trading.tell(LookDue(f"an execution was announced, but {why}"))


class _Declined(Exception):
    """The prices of the order stay as they are."""


class _Halted(Exception):
    """The order was not sent."""
