"""Asking for a backup: one task, under a name that says when."""

import secrets
from dataclasses import dataclass

from actors.console.access import Access
from messages.tasks import Backup, NewTask
from messages.values import CorrelationId
from storage import backups


@dataclass(frozen=True, slots=True)
class Begun:
    """A backup that was asked for: its task's correlation id, and the file's name under `backups` in the home."""

    correlation_id: CorrelationId
    name: str


def begin(access: Access) -> Begun:
    """Submit it. Raises DeskRefused."""
    name, correlation_id = backups.name_at(access.system.clock.utc()), CorrelationId(secrets.token_hex(16))
    task = NewTask(f"backup/{name}", "portfolio", Backup(name, access.backups), priority=8)
    access.submit([task], correlation_id)
    return Begun(correlation_id, name)
