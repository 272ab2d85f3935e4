"""What a broker holds is known before an order is sent there."""

from actors.brokers.choice import unfit
from tests.actors.brokers.broker import ticket


def test_alpaca_takes_a_part_of_a_share_only_without_legs_and_paper_takes_it_with_them() -> None:
    whole, part = ticket(stop_loss="90", take_profit="120"), ticket(quantity="2.5", stop_loss="90", take_profit="120")

    assert unfit("alpaca")(whole) is None
    assert "parts of a share in a plain DAY order only" in (unfit("alpaca")(part) or "")
    assert unfit("alpaca")(ticket(quantity="2.5")) is None
    assert unfit("paper")(part) is None
