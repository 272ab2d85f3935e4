"""What the console is told."""

from dataclasses import dataclass

from messages.addresses import Down
from messages.claude import BreakerChanged


@dataclass(frozen=True, slots=True)
class ServerEnded:
    """The HTTP server has stopped by itself, and why."""

    cause: str


Message = Down | BreakerChanged | ServerEnded
