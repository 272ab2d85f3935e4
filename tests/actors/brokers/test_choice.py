"""What a broker looks at last, and what it holds."""

from typing import Any

import pytest

from actors.brokers.alpaca_account import BadAccount
from actors.brokers.choice import chosen, halt, unfit
from messages.addresses import Ref
from messages.trading import TradingState, TradingTerms
from storage import confirmations, states
from storage.home import Home
from tests.actors.brokers.broker import ticket
from tests.actors.trading.staged import Desk, Exchange


def test_nothing_is_sent_while_the_file_is_there_or_trading_is_halted_on_disk(home: Home) -> None:
    desk = Desk(home, Exchange())
    before = halt(TradingTerms(), home, desk.read, lambda: 0)

    desk.keep(*states.set_state("all", TradingState.REDUCING, "slowly", 1))
    reducing = halt(TradingTerms(), home, desk.read, lambda: 0)
    desk.keep(*states.set_state("paper", TradingState.HALTED, "enough", 1))
    on_disk = halt(TradingTerms(), home, desk.read, lambda: 0)
    home.halt.touch()
    by_file = halt(TradingTerms(), home, desk.read, lambda: 0)

    assert (before, reducing) == (None, None)
    assert on_disk == "trading is HALTED: enough"
    assert by_file == home.halted() != on_disk


def test_alpaca_takes_a_part_of_a_share_only_without_legs_and_paper_takes_it_with_them() -> None:
    whole, part = ticket(stop_loss="90", take_profit="120"), ticket(quantity="2.5", stop_loss="90", take_profit="120")

    assert unfit("alpaca")(whole) is None
    assert "parts of a share in a plain DAY order only" in (unfit("alpaca")(part) or "")
    assert unfit("alpaca")(ticket(quantity="2.5")) is None
    assert unfit("paper")(part) is None


@pytest.mark.parametrize("broker", ["paper", "alpaca"])
def test_a_home_in_which_real_money_was_ever_confirmed_does_not_trade_on_paper(home: Home, broker: Any) -> None:
    confirmations.keep(home, "whatever", "it says")
    desk = Desk(home, Exchange())

    with pytest.raises(BadAccount, match="give paper a home of its own with --home"):
        chosen(TradingTerms(broker=broker), home, desk.read, desk.writer, Ref[Any]("broker"), desk.ref, lambda: 0)
