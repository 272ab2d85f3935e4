"""What the console is told."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServerEnded:
    """The HTTP server has stopped by itself, and why."""

    cause: str


Message = ServerEnded
