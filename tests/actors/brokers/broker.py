"""The Alpaca actor on the test's thread, against the stub; what it tells trading goes to a probe."""

from decimal import Decimal
from typing import TypeVar

from actors.brokers.alpaca import AlpacaBroker, Message
from actors.brokers.alpaca_account import Account, Keys
from actors.brokers.alpaca_line import HttpLine
from actors.brokers.alpaca_stream import Updates
from actors.kernel.testing import Probe, TestSystem
from messages.addresses import Ref, Refused
from messages.broker import (
    Absent,
    ClientId,
    Executed,
    Flatten,
    Found,
    InForce,
    Kind,
    Look,
    LookDue,
    LookUp,
    Replace,
    Send,
    Side,
    Ticket,
    View,
    Viewed,
    Withdraw,
)
from messages.values import Symbol
from tests.stub_alpaca.server import Stub

R = TypeVar("R")
AAPL = Symbol("AAPL")
ID = ClientId("0123456789abcdef01234567")
OTHER = ClientId("fedcba9876543210fedcba98")


def ticket(
    kind: Kind = Kind.MARKET,
    quantity: str = "10",
    *,
    side: Side = Side.BUY,
    in_force: InForce = InForce.DAY,
    client_id: ClientId = ID,
    symbol: str = "AAPL",
    **prices: str,
) -> Ticket:
    """An order; prices by the names of their fields."""
    amounts = {name: Decimal(price) for name, price in prices.items()}
    return Ticket(client_id, Symbol(symbol), side, Decimal(quantity), kind, in_force, **amounts)


class Broker:
    """The actor, and what one would ask of it. `halt` is what it sees when it looks at HALT."""

    def __init__(
        self,
        stub: Stub,
        updates: Updates,
        *,
        account: Account | None = None,
        keys: Keys | None = None,
        within: float = 5.0,
        seed: int = 0,
        flattens: bool = False,
    ) -> None:
        self.stub, self.system = stub, TestSystem(seed)
        self.halt: str | None = None
        self.looked = list[int]()
        self.trading = Probe[Executed | LookDue]("trading")
        self.ref = Ref[Message]("broker")
        there = account or stub.account
        edges = HttpLine(there, keys or stub.keys, within), updates
        told = self.trading.ref
        self.system.add(
            self.ref,
            lambda me: AlpacaBroker(
                me, self.ref, told, there, edges, self.halted, shut=(lambda: None) if flattens else self.halted
            ),
        )
        self.system.start()

    def halted(self) -> str | None:
        """Notes how often something had been posted when it looked."""
        self.looked.append(self.stub.count("POST"))
        return self.halt

    def send(self, order: Ticket | None = None) -> Found | Refused:
        probe = Probe[Found | Refused]("send")
        return self._said(Send(order or ticket(), probe), probe)

    def flatten(self) -> Found | Refused:
        probe = Probe[Found | Refused]("flatten")
        return self._said(Flatten(OTHER, AAPL, Side.SELL, Decimal("2.5"), probe), probe)

    def look_up(self, client_id: str = ID) -> Found | Absent | Refused:
        probe = Probe[Found | Absent | Refused]("look up")
        return self._said(LookUp(ClientId(client_id), probe), probe)

    def withdraw(self, client_id: str = ID) -> Found | Absent | Refused:
        probe = Probe[Found | Absent | Refused]("withdraw")
        return self._said(Withdraw(ClientId(client_id), probe), probe)

    def replace(self, client_id: str, number: int, **prices: str) -> Found | Absent | Refused:
        probe = Probe[Found | Absent | Refused]("replace")
        limit, stop = (Decimal(prices[name]) if name in prices else None for name in ("limit", "stop"))
        return self._said(Replace(ClientId(client_id), number, limit, stop, probe), probe)

    def look(self, since: int = 0) -> Viewed | Refused:
        probe = Probe[Viewed | Refused]("look")
        return self._said(Look(since, probe), probe)

    def view(self, since: int = 0) -> View:
        """What a Look must find."""
        viewed = self.look(since)
        assert isinstance(viewed, Viewed), viewed
        return viewed.view

    def stop(self) -> None:
        """Whatever was said, it has lived through it."""
        assert self.system.stop(grace=1.0) == []
        assert self.system.recorder.crashes == []

    def executed(self) -> list[Executed]:
        """What trading was told to have happened."""
        return [one for one in self.trading.received if isinstance(one, Executed)]

    def due(self) -> list[str]:
        """Why trading was told to look."""
        return [one.why for one in self.trading.received if isinstance(one, LookDue)]

    def _said(self, message: Message, probe: Probe[R]) -> R | Refused:
        self.ref.tell(message)
        self.system.settle()
        assert not self.system.recorder.crashes
        (answer,) = probe.received
        return answer
