"""An order as the paper broker keeps it: the ticket, and what bars have made of it."""

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

from messages.broker import ClientId, Seen, Stage, Ticket


@dataclass(frozen=True, slots=True)
class Order:
    """A ticket that came while `came` was the newest session of its symbol, None where there was none.

    `triggered`: its stop was reached, so that it waits for shares alone. `best` is the best price that a trailing stop
    has seen. `parent` is the order whose leg it is; the ticket's quantity of a leg is what is left for it to do.
    `change` is the number of the change that its prices are of.
    """

    ticket: Ticket
    came: dt.date | None
    stage: Stage = Stage.WORKING
    filled: Decimal = Decimal(0)
    triggered: bool = False
    best: Decimal | None = None
    parent: ClientId | None = None
    why: str = ""
    change: int = 0

    @property
    def seen(self) -> Seen:
        """What is told of it."""
        return Seen(self.ticket.client_id, self.stage, self.filled, self.why, self.change)
