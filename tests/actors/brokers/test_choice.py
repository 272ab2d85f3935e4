"""What a broker looks at last."""

from actors.brokers.choice import halt
from messages.trading import TradingState
from storage import orders
from storage.home import Home
from tests.actors.trading.staged import Desk, Exchange


def test_nothing_is_sent_while_the_file_is_there_or_trading_is_halted_on_disk(home: Home) -> None:
    desk = Desk(home, Exchange())
    before = halt(home, desk.read, "paper")

    desk.keep(*orders.set_state("all", TradingState.REDUCING, "slowly", 1))
    reducing = halt(home, desk.read, "paper")
    desk.keep(*orders.set_state("paper", TradingState.HALTED, "enough", 1))
    on_disk = halt(home, desk.read, "paper")
    home.halt.touch()
    by_file = halt(home, desk.read, "paper")

    assert (before, reducing) == (None, None)
    assert on_disk == "trading is HALTED: enough"
    assert by_file == home.halted() != on_disk
