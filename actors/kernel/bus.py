"""Who is told of what: a table, fixed when the desk is composed."""

from collections.abc import Mapping
from typing import Any

from messages.addresses import Ref

Routes = Mapping[type[Any], tuple[Ref[Any], ...]]


class Bus:
    """Tells everyone routed to, in the publisher's thread. A full mailbox drops the event and counts it."""

    def __init__(self, routes: Routes | None = None) -> None:
        self._routes: Routes = routes or {}

    def publish(self, event: object) -> None:
        """Tell whoever wants events of this very type; nothing that must happen may hang on it."""
        for ref in self._routes.get(type(event), ()):
            ref.tell(event)
