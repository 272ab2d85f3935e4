"""Nothing here reaches anything but this machine, and no key of a person's is read."""

import os
import socket
from collections.abc import Iterator
from typing import Any, Protocol

import pytest

from actors.brokers.alpaca_account import Account, Keys
from actors.brokers.alpaca_stream import Heard
from tests.actors.brokers.broker import Broker
from tests.stub_alpaca.server import Stub


@pytest.fixture(autouse=True)
def only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever connects to anything else fails; so does whoever asks a proxy."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and address[0] not in {"127.0.0.1", "::1"}:
            raise AssertionError(f"a test wanted to reach {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
    for name in os.environ:
        if "proxy" in name.lower() or "alpaca" in name.lower():
            monkeypatch.delenv(name)


class Silence:
    """Updates of which there are none; `tell` tells one."""

    def __init__(self) -> None:
        self.started = 0

    def start(self, tell: Any) -> None:
        self.started += 1
        self.tell = tell

    def stop(self) -> None:
        self.started -= 1

    def hear(self, *all_: Heard) -> None:
        """Let the actor hear these."""
        for one in all_:
            assert self.tell(one)


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub() as running:
        yield running


@pytest.fixture
def silence() -> Silence:
    return Silence()


class Make(Protocol):
    """Another actor on the same stub, without updates; stopped after the test."""

    def __call__(
        self, *, account: Account | None = None, keys: Keys | None = None, within: float = 5.0, flattens: bool = False
    ) -> Broker: ...


@pytest.fixture
def another(stub: Stub) -> Iterator[Make]:
    made = list[Broker]()

    def make(
        *, account: Account | None = None, keys: Keys | None = None, within: float = 5.0, flattens: bool = False
    ) -> Broker:
        made.append(Broker(stub, Silence(), account=account, keys=keys, within=within, flattens=flattens))
        return made[-1]

    yield make
    for one in made:
        one.stop()


@pytest.fixture
def broker(stub: Stub, silence: Silence) -> Iterator[Broker]:
    made = Broker(stub, silence)
    yield made
    made.stop()
    assert silence.started == 0
