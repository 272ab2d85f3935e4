"""What a desk is given of the world."""

from collections.abc import Callable
from dataclasses import dataclass

from actors.claude.sessions import Sessions
from actors.kernel.system import System
from actors.settings.reading import Settings
from actors.workers.places import Places
from messages.addresses import Refused, ReplyTo
from messages.database import Committed
from storage.connections import Reader


@dataclass(frozen=True, slots=True)
class Edges:
    """The world, handed in: how actors are run and on which clock, chance, from 0 to 1, Claude's programs, where
    workers have jobs computed: those in Python, and of the others those that are pure; and how a person is told.

    `system` is given what it publishes with and what it flushes with.
    """

    system: Callable[[Callable[[object], None], Callable[[ReplyTo[Committed | Refused]], None]], System]
    chance: Callable[[], float]
    sessions: Callable[[Reader], Sessions]
    places: Callable[[Settings], Places]
    tell: Callable[[str], bool] = lambda sentence: True
