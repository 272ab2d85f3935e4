"""What is traded on in a storm: prices, an analyst, limits, and a system that sees what is told to the broker."""

import random
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from actors.domain.orders import Limits
from messages import market
from messages.addresses import Ref
from messages.broker import Send
from messages.market import Fetched
from messages.research import Decision
from messages.tasks import Finished, NewTask, Recommend, Run, StageOrder
from messages.trading import (
    Holding,
    TradingTerms,
)
from messages.values import CorrelationId, Symbol
from storage import decisions
from tests.actors.brokers.driving import Prices, days
from tests.simulation.company import StormySystem
from tests.simulation.storm import Fault, Kind, Storm

FIRST_DAY: Final = "2013-02-11"
AT_FIRST: Final = {Symbol("AAPL"): 100.0, Symbol("IBM"): 50.0, Symbol("MSFT"): 20.0}
VOLUMES: Final = (300.0, 1_000.0, 5_000.0, 1e5)
HOLDINGS: Final = (Holding(Symbol("AAPL"), Decimal(100), Decimal(90), None),)
CASH: Final = Decimal(20_000)
TERMS: Final = TradingTerms(
    analysts=("rules",), approval_hours=1, reconcile_minutes=10, target_weight=Decimal("0.45"),
    risk_per_trade=Decimal("0.1"),
)  # fmt: skip
LIMITS: Final = Limits(
    max_position=Decimal("0.6"), max_symbol=Decimal("0.6"), max_daily_loss=Decimal("0.15"), max_drawdown=Decimal("0.3"),
    max_gross=Decimal(3), max_net=Decimal(3), max_orders_a_day=100, max_orders_a_minute=50,
)  # fmt: skip
"""So that the second purchase is bound by cash and nothing else, and a market that falls by a third halts."""
BROKEN: Final[Sequence[tuple[Kind, str]]] = (
    ("kill", ""), ("kill", ""), ("stop", ""), ("crash", "trading"), ("crash", "database"), ("crash", "tasks"),
    ("crash", "broker"), ("crash", "broker"), ("break", "broker"), ("raise", "broker"), ("lose", "database"),
    ("crash", "research"),
)  # fmt: skip
"""What a desk or an actor does not survive."""
LOST: Final[Sequence[tuple[Kind, str]]] = (
    *(("lose", "broker"), ("late", "broker"), ("slow", "broker"), ("delay", "broker"), ("slow", "database")),
    *(("deaf", "Executed"), ("delay", "Executed"), ("again", "Executed"), ("crowd", "database")),
    *(("deaf", "line"), ("delay", "line"), ("late", "line"), ("gate", "exchange")),
)
"""What goes wrong between those that live on."""


def brew(chance: random.Random) -> Storm:
    """A storm over as many turns as a venture takes, of one in three: something again and again."""
    lost = LOST if chance.random() < 0.7 else (chance.choice(LOST),)
    kinds = [chance.choice(BROKEN) for _ in range(chance.choice((0, 1, 1, 2, 4)))]
    kinds += [chance.choice(lost) for _ in range(chance.randrange(8))]
    return Storm([Fault(chance.randrange(700), kind, actor) for kind, actor in kinds])


class Quotes:
    """The source; more of `rows` may come at any time."""

    def __init__(self, rows: Mapping[Symbol, list[Prices]]) -> None:
        self._rows = rows

    def on_receive(self, message: market.SourceMessage) -> None:
        """Bars of whatever is asked for."""
        assert isinstance(message, market.Fetch)
        bars, place = days(FIRST_DAY, *self._rows[message.symbol]), f"prices of {message.symbol}"
        message.reply_to.tell(Fetched(message.reply_to.about, message.symbol, bars, place, 1))


class Analyst:
    """Has a view at once: as research does, with the task that makes an order of it."""

    def __init__(self, view: Callable[[Symbol, CorrelationId], Decision]) -> None:
        self._view = view

    def on_receive(self, run: Run) -> None:
        """The decision and what follows from it go with the task's completion."""
        decision = self._view(run.expect(Recommend).symbol, run.correlation_id)
        id_ = decisions.id_of(decision, run.correlation_id)
        stage = NewTask(f"stage_order/{id_}", "portfolio", StageOrder(id_), priority=9)
        effect = decisions.insert(decision, run.correlation_id, 1)
        run.reply_to.tell(Finished(run.lease, (effect,), (stage,)))


class TradingFloor(StormySystem):
    """Sees what is told to the broker, at the moment at which it is."""

    __test__ = False
    stuck = 100 * 3_600.0
    seen: Callable[[Send], None]

    def add(self, ref: Ref[Any], *args: Any, **kwargs: Any) -> None:
        """See System."""
        super().add(ref, *args, **kwargs)
        if ref.name == "broker":
            deliver, handed = self.cells[-1].deliver, list[Send]()

            def watched(message: Any) -> bool:
                if isinstance(message, Send) and not any(each is message for each in handed):
                    handed.append(message)
                    self.seen(message)
                return deliver(message)

            ref.bind(watched)
