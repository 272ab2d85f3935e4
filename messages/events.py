"""All events there are: what is published to whoever is routed to, and answered by nobody."""

from typing import Final, get_args

from messages.addresses import Down
from messages.claude import BreakerChanged
from messages.database import WritesHeld, WritesResumed

Event = Down | BreakerChanged | WritesHeld | WritesResumed
EVENTS: Final[tuple[type[object], ...]] = get_args(Event)
