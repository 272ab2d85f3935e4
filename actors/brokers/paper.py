"""The paper broker: takes orders as a broker does, and fills them from the desk's own bars."""

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Final, assert_never

from actors.brokers.account import Account
from actors.brokers.prices import Prices
from actors.domain import tickets
from actors.domain.costs import Costs
from actors.domain.matching import PROFIT_LEG, STOP_LEG, Bar
from actors.kernel.me import Me
from messages import broker, database
from messages.addresses import Ref, Refused
from messages.broker import (
    Absent,
    ClientId,
    Executed,
    Flatten,
    Found,
    Look,
    LookUp,
    Replace,
    Send,
    Stage,
    Ticket,
    View,
    Viewed,
    Withdraw,
)
from messages.database import Committed, Write
from messages.values import Symbol
from storage import actions, paper
from storage.connections import Reader

COMMIT_WITHIN: Final = 60.0
"""Seconds a write may take."""
FULL_AGAIN: Final = 0.1
"""Seconds after which is tried again what found the writer's mailbox full, unless it says when."""
BATCH: Final = 64
"""Requests that are decided on together and committed in one write; between the first and the write are some 5 ms."""
LONGEST_LINE: Final = 1_000
"""Requests that wait here at most; then they are refused as a mailbox would."""
OWN_ID: Final = re.compile(rf"[!-~]{{1,61}}(?<!{STOP_LEG})(?<!{PROFIT_LEG})")
CLIENT_ID: Final = re.compile(r"[!-~]{1,64}")
"""Of a leg, too."""


@dataclass(frozen=True, slots=True, eq=False)
class _Writing:
    """What was asked, and what is done when it is on disk."""

    asked: tuple[broker.Request, ...]
    acts: tuple[Callable[[], None], ...]


@dataclass(frozen=True, slots=True)
class _Again:
    """There may be room by now."""


class WriteLost(RuntimeError):
    """The writer has not kept what was decided; this incarnation ends, and the next reads what is on disk."""


Message = broker.Request | Committed | Refused | _Again


class PaperBroker:
    """Owns the account on paper. Every answer is on disk before it is given; see docs/broker.md for how it fills.

    One write is on its way at a time, and whatever comes meanwhile is decided on after it and goes together; so each
    decision is made on what is on disk. `opening` is what the account began with, shares and cash; `halted` says why
    nothing may be sent, and is looked at last, right before new orders go to the writer; `shut` says the same of
    what closes positions.
    """

    def __init__(
        self,
        me: Me[Message],
        writer: Ref[database.Message],
        trading: Ref[Executed],
        read: Reader,
        opening: Callable[[], tuple[dict[Symbol, Decimal], Decimal]],
        halted: Callable[[], str | None],
        costs: Costs,
        *,
        shut: Callable[[], str | None],
    ) -> None:
        self._me, self._writer, self._trading, self._read = me, writer, trading, read
        self._opening, self._halted, self._costs, self._shut = opening, halted, costs, shut
        self._line, self._busy = deque[broker.Request](), False

    def on_start(self) -> None:
        """Read what is kept."""
        self._account, self._prices = Account(self._read, self._costs), Prices(self._read, self._me.clock)

    def on_receive(self, message: Message) -> None:
        """The whole protocol."""
        match message:
            case Send() | Flatten() | LookUp() | Withdraw() | Replace() | Look():
                self._take(message)
            case Committed(_Writing() as writing):
                self._act(writing)
                self._go_on()
            case Refused(_Writing() as writing):
                self._refused(writing, message)
            case _Again():
                self._go_on()
            case Committed() | Refused():
                raise TypeError(f"an answer about {message.about!r}, which was never asked")
            case _:
                assert_never(message)

    # What waits, and the one write

    def _take(self, asked: broker.Request) -> None:
        if len(self._line) >= LONGEST_LINE:
            asked.reply_to.refuse("full", f"{len(self._line)} requests wait for {self._me.name} already")
            return
        self._line.append(asked)
        if not self._busy:
            self._line.extend(self._me.take_waiting(Send, BATCH - 1))
            self._next()

    def _go_on(self) -> None:
        self._busy = False
        self._next()

    def _next(self) -> None:
        """Decide on what waits, as long as nothing of it has to be written."""
        while self._line and not self._busy:
            asked = tuple(self._line.popleft() for _ in range(min(BATCH, len(self._line))))
            writing = self._decide(asked, halted := self._halted())
            if halted is None and self._account.took and (why := self._halted()) is not None:
                self._account = Account(self._read, self._costs)  # as if nothing of it had been decided
                writing = self._decide(asked, why)
            if statements := self._account.write(self._me.clock.utc()):
                self._busy = True
                reply_to = self._me.reply_to(writing, of=self._writer, within=COMMIT_WITHIN)
                self._writer.tell(Write(statements, reply_to))
            else:
                self._act(writing)

    def _act(self, writing: _Writing) -> None:
        for act in writing.acts:
            act()

    def _refused(self, writing: _Writing, refused: Refused) -> None:
        """For want of room: nothing of it has happened, and it is decided on anew. Else memory is not what is kept."""
        if refused.code != "full":
            raise WriteLost(f"what {len(writing.asked)} requests have led to was not written: {refused.sentence}")
        self._account = Account(self._read, self._costs)
        self._line.extendleft(reversed(writing.asked))
        wait = FULL_AGAIN if refused.retry_at is None else (refused.retry_at - self._me.clock.utc()) / 1e6
        self._me.after(max(wait, FULL_AGAIN), _Again())

    # Decisions

    def _decide(self, asked: tuple[broker.Request, ...], halted: str | None) -> _Writing:
        """One read finds all orders that it is about, and one which symbols have new bars."""
        acts = list[Callable[[], None]]()
        self._account.recall(filter(CLIENT_ID.fullmatch, map(_client_id, asked)))
        self._prices.look_again({each.ticket.symbol for each in asked if isinstance(each, Send)})
        for each in asked:
            match each:
                case Send():
                    self._send(each, halted, acts)
                case Flatten():
                    self._send(each, self._shut(), acts)
                case LookUp():
                    self._answer(each, acts)
                case Withdraw():
                    self._withdraw(each, acts)
                case Replace():
                    self._replace(each, halted, acts)
                case Look():
                    self._look(each, acts)
                case _:
                    assert_never(each)
        return _Writing(asked, tuple(acts))

    def _send(self, send: Send | Flatten, halted: str | None, acts: list[Callable[[], None]]) -> None:
        ticket, reply_to = send.ticket, send.reply_to
        if not OWN_ID.fullmatch(ticket.client_id):
            why = f"{ticket.client_id[:64]!r} is no id: 1 to 61 signs, no spaces, and not ending as legs of brackets do"
            acts.append(lambda: reply_to.refuse("invalid", why))
            return
        if self._account.find(ticket.client_id) is not None:
            self._answer(send, acts)
            return
        bar = self._catch_up(ticket.symbol, acts)
        if halted is not None:
            acts.append(lambda: reply_to.refuse("halted", halted))
            return
        executed = list[Executed]()
        if bar is None:
            self._account.reject(ticket, f"there are no prices of {ticket.symbol}", None)
        elif (fault := self._fault(ticket, bar)) is not None:
            self._account.reject(ticket, fault, bar.session)
        else:
            executed = self._account.take(ticket, bar, self._me.clock.utc())
        self._answer(send, acts)
        self._tell(executed, acts)

    def _fault(self, ticket: Ticket, bar: Bar) -> str | None:
        if (now := self._prices.stale(bar.session)) is not None:
            return f"the last price of {ticket.symbol} is of {bar.session}, and it is {now}; refresh its bars"
        return tickets.fault(ticket, bar.close)

    def _answer(self, asked: Send | Flatten | LookUp | Withdraw | Replace, acts: list[Callable[[], None]]) -> None:
        reply_to, known = asked.reply_to, self._account.find(_client_id(asked))
        if known is not None:
            found = Found(reply_to.about, known.seen)
            acts.append(lambda: reply_to.tell(found))
        elif not isinstance(asked, Send | Flatten):
            absent = asked.reply_to
            acts.append(lambda: absent.tell(Absent(absent.about)))

    def _withdraw(self, withdraw: Withdraw, acts: list[Callable[[], None]]) -> None:
        """What bars have made of it came before."""
        if (known := self._account.find(withdraw.client_id)) is not None:
            self._catch_up(known.symbol, acts)
            self._account.withdraw(known)
        self._answer(withdraw, acts)

    def _replace(self, asked: Replace, halted: str | None, acts: list[Callable[[], None]]) -> None:
        """What bars have made of it came before."""
        reply_to = asked.reply_to
        if (known := self._account.find(asked.client_id)) is not None:
            self._catch_up(known.symbol, acts)
            known = self._account.find(asked.client_id)
        if known is not None and known.seen.stage is Stage.WORKING and known.seen.change < asked.number:
            if halted is not None:
                acts.append(lambda: reply_to.refuse("halted", halted))
                return
            if (why := self._account.replace(known, asked.number, asked.limit, asked.stop)) is not None:
                acts.append(lambda: reply_to.refuse("declined", why))
                return
        self._answer(asked, acts)

    def _look(self, look: Look, acts: list[Callable[[], None]]) -> None:
        for symbol in self._account.symbols:
            self._catch_up(symbol, acts)
        acts.append(lambda: look.reply_to.tell(Viewed(look.reply_to.about, self._view(look.since))))

    def _view(self, since: int) -> View:
        held, cash = self._opening()
        orders, executions = paper.lately(self._read, since), paper.executions(self._read, since)
        adjusted = paper.adjusted(self._read, since)
        return View(orders, executions, self._account.positions(held), cash + self._account.cash, adjusted)

    def _catch_up(self, symbol: Symbol, acts: list[Callable[[], None]]) -> Bar | None:
        """Match the symbol's open orders against the bars that have come; the last bar there is."""
        newest = self._prices.newest(symbol)
        if newest is not None and (after := self._account.behind(symbol, newest.session)) is not None:
            bars = self._prices.between(symbol, after, newest.session)
            meanwhile = actions.after(self._read, after, symbol)
            self._tell(self._account.work(symbol, bars, meanwhile, self._me.clock.utc()), acts)
        return newest

    def _tell(self, executed: list[Executed], acts: list[Callable[[], None]]) -> None:
        acts.extend(partial(self._trading.tell, each) for each in executed)


def _client_id(asked: broker.Request) -> ClientId:
    match asked:
        case Send(ticket):
            return ticket.client_id
        case Flatten(client_id) | LookUp(client_id) | Withdraw(client_id) | Replace(client_id):
            return client_id
        case Look():
            return ClientId("")
