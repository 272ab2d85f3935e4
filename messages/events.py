"""All events there are: what is published to whoever is routed to, and answered by nobody."""

from typing import Final, get_args

from messages.addresses import Down, Hangs
from messages.claude import BreakerChanged
from messages.database import WritesHeld, WritesResumed
from messages.trading import TradingChanged

Event = Down | Hangs | BreakerChanged | WritesHeld | WritesResumed | TradingChanged
EVENTS: Final[tuple[type[object], ...]] = get_args(Event)
