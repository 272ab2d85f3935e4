"""What is measured: name, unit, attributes, meaning. Everything else in this package follows this table.

Prometheus sees `actor.mailbox.time` in `s` as `actor_mailbox_time_seconds`; counters gain `_total`. Attributes are
constant for an instrument, and have few values: never a symbol, a task or an account.
"""

from dataclasses import dataclass
from typing import Final

from messages.claude import Cause


@dataclass(frozen=True, slots=True)
class Instrument:
    """One line of the table."""

    name: str
    unit: str
    attributes: tuple[str, ...]
    meaning: str


class Counter(Instrument):
    """What only grows."""


class UpDown(Instrument):
    """What there is at the moment; it can be added up."""


class Gauge(Instrument):
    """How something is at the moment, where adding it up would say nothing."""


class Histogram(Instrument):
    """How long something took, as counts by bucket and a sum."""


MAILBOX_DEPTH: Final = UpDown("actor.mailbox.depth", "{message}", ("actor",), "Messages that wait.")
MAILBOX_TIME: Final = Histogram("actor.mailbox.time", "s", ("actor",), "How long messages waited.")
PROCESSING_TIME: Final = Histogram("actor.processing.time", "s", ("actor", "message"), "How long messages ran.")
RUNNING: Final = UpDown("actor.running", "{actor}", ("actor",), "1 if the actor is ready, else 0.")
FAILURES: Final = Counter("actor.failures", "{failure}", ("actor", "error_type"), "Crashes.")
RESTARTS: Final = Counter("actor.restarts", "{restart}", ("actor",), "Crashes after which it was, or is, built anew.")
DEAD_LETTERS: Final = Counter("actor.dead_letters", "{message}", ("actor", "reason"), "Messages nobody will handle.")
EVENTS: Final = Counter("bus.events", "{event}", ("event", "actor", "outcome"), "Events that an actor subscribes to.")

OPERATIONS: Final = Counter("db.operations", "{operation}", ("operation", "table", "outcome"), "Statements written.")
LOG_PAGES: Final = Gauge("db.wal.pages", "{page}", (), "Length of the write-ahead log, in pages of 4 kB.")
OLDEST_READ: Final = Gauge(
    "db.read.oldest", "s", (), "How long the oldest read under way has lasted; 0 if there is none."
)
HELD: Final = Gauge("db.writes.held", "{state}", (), "1 while nothing can be committed, else 0.")
QUEUE_DEPTH: Final = UpDown("queue.depth", "{task}", ("queue",), "Tasks that wait.")

CLAUDE_QUERIES: Final = Counter("claude.queries", "{query}", ("outcome",), "Questions to Claude that have ended.")
CLAUDE_DURATION: Final = Histogram("claude.query.duration", "s", (), "How long Claude took, from asking to the end.")
CLAUDE_COST: Final = Counter("claude.cost.usd", "{USD}", (), "Dollars that the questions which have ended cost.")
BREAKER_STATE: Final = Gauge("claude.breaker.state", "{state}", ("state",), "1 for the state it is in, else 0.")
BREAKER_TRANSITIONS: Final = Counter("claude.breaker.transitions", "{transition}", ("state",), "Changes to a state.")
FALSE_ACCEPTS: Final = Gauge(
    "claude.grounding.false_accept.ratio", "1", (), "Bad answers of the kept corpus that the check accepts, 0 to 1."
)
FALSE_REJECTS: Final = Gauge(
    "claude.grounding.false_reject.ratio", "1", (), "Good answers of the kept corpus that the check rejects, 0 to 1."
)
ABSTAINED: Final = Gauge(
    "claude.abstain.ratio", "1", (), "Decisions of Claude's in this home that are ABSTAIN, 0 to 1; 0 if there are none."
)

REASONS: Final = ("full", "down", "void")
"""Why a message becomes a dead letter; each has a series from the start."""
OUTCOMES: Final = ("answered", *(cause.value for cause in Cause))
"""How a question ends; each has a series from the start."""
STATES: Final = ("closed", "open", "half_open")
"""The breaker's."""
CLAUDE_BOUNDS: Final = (0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0)
"""Upper bounds of the buckets for a language model, in seconds."""
