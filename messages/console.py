"""What the console is told."""

from dataclasses import dataclass

from messages.events import Event


@dataclass(frozen=True, slots=True)
class ServerEnded:
    """The HTTP server has stopped by itself, and why."""

    cause: str


Message = Event | ServerEnded
