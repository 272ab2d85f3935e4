"""All events there are: what is published to whoever is routed to, and answered by nobody."""

from typing import Final, get_args

from messages.addresses import Down
from messages.claude import BreakerChanged

Event = Down | BreakerChanged
EVENTS: Final[tuple[type[object], ...]] = get_args(Event)
