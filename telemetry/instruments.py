"""What is measured: a table of name, instrument, unit, attributes, buckets, meaning. All of this package follows it.

Prometheus sees `actor.mailbox.time` in `s` as `actor_mailbox_time_seconds`; counters gain `_total`, and a dot in an
attribute is an underscore, too. Attributes are constant for an instrument, and have few values: never a symbol, a task
or an account.
"""

from dataclasses import dataclass
from typing import Final

from messages.claude import Cause


@dataclass(frozen=True, slots=True)
class Instrument:
    """One line of the table; `buckets` are upper bounds in the unit, of a histogram alone."""

    name: str
    unit: str
    attributes: tuple[str, ...]
    meaning: str
    buckets: tuple[float, ...] = ()


class Counter(Instrument):
    """What only grows."""


class UpDown(Instrument):
    """What there is at the moment; it can be added up."""


class Gauge(Instrument):
    """How something is at the moment, where adding it up would say nothing."""


class Histogram(Instrument):
    """How long something took or how large it was, as counts by bucket and a sum."""


# fmt: off
# Buckets: for messages the kernel's own from 64 µs on, four times the one before; for Claude; for the database, in
# seconds and in statements; for tasks.
FAST: Final = tuple(10.0**-6 * 4**n for n in range(3, 14))
MODEL: Final = (0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0)
DATABASE: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
SIZES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
TASKS: Final = (0.01, 0.05, 0.25, 1.0, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0)

# Actors
STARTED: Final = Gauge("desk.started", "s", (), "When this run of the desk began, in seconds since 1970 (UTC).")
MAILBOX_DEPTH: Final = UpDown("actor.mailbox.depth", "{message}", ("actor",), "Messages that wait.")
OLDEST_AGE: Final = Gauge("actor.mailbox.oldest.age", "s", ("actor",), "Since the oldest message was sent that is not done, that at hand included; 0 if there is none.")
MAILBOX_TIME: Final = Histogram("actor.mailbox.time", "s", ("actor",), "How long messages waited.", FAST)
PROCESSING_TIME: Final = Histogram("actor.processing.time", "s", ("actor", "message", "outcome"), "How long messages, or all that were handled together, ran: done, or crashed.", FAST)
FAILURES: Final = Counter("actor.failures", "{failure}", ("actor", "error_type"), "Crashes.")
RESTARTS: Final = Counter("actor.restarts", "{restart}", ("actor",), "Crashes after which it was, or is, built anew.")
DEAD_LETTERS: Final = Counter("actor.dead_letters", "{message}", ("actor", "reason"), "Messages nobody will handle: no room (full), or nobody there (down).")
STALE_REPLIES: Final = Counter("actor.stale_replies", "{message}", ("actor",), "Answers and timers that came second, or after their owner was rebuilt.")
RUNNING: Final = UpDown("actor.running", "{actor}", ("actor",), "1 if the actor is ready, else 0.")
INCARNATIONS: Final = Counter("actor.incarnations", "{incarnation}", ("actor",), "Times that it was built; each member of a crew counts.")
POOL_SIZE: Final = Gauge("worker.pool.size", "{worker}", ("kind",), "Workers of a crew.")
POOL_BUSY: Final = UpDown("worker.pool.busy", "{worker}", ("kind",), "Workers of a crew that have something at hand.")

# Events
PUBLISHED: Final = Counter("event_bus.published", "{event}", ("event",), "Events said, whoever wants them.")
DELIVERED: Final = Counter("event_bus.delivered", "{event}", ("event", "subscriber"), "Events told to a subscriber.")
FILTERED: Final = Counter("event_bus.filtered", "{event}", ("event", "subscriber"), "Events that a subscriber's filter kept from it.")
DROPPED: Final = Counter("event_bus.dropped", "{event}", ("event", "subscriber"), "Events for which a subscriber's mailbox had no room.")

# The database
OPERATIONS: Final = Counter("db.operations", "{operation}", ("operation", "table", "outcome"), "Statements written.")
DB_DURATION: Final = Histogram("db.client.operation.duration", "s", ("db.system.name", "db.operation.name"), "How long reads (SELECT) and transactions of the writer (BATCH) took.", DATABASE)
COMMIT_DURATION: Final = Histogram("db.commit.duration", "s", (), "How long commits took, the wait for the disk included.", DATABASE)
BATCH_SIZE: Final = Histogram("db.commit.batch.size", "{operation}", (), "Statements in a commit.", SIZES)
WAL_SIZE: Final = Gauge("db.wal.size", "By", (), "Length of the write-ahead log that is in use.")
OLDEST_READ: Final = Gauge("db.read.oldest", "s", (), "How long the oldest read under way has lasted; 0 if there is none.")
HELD: Final = Gauge("db.writes.held", "{state}", (), "1 while nothing can be committed, else 0.")

# Queues
QUEUE_DEPTH: Final = UpDown("queue.depth", "{task}", ("queue",), "Tasks that wait.")
QUEUE_OLDEST: Final = Gauge("queue.oldest.age", "s", ("queue",), "Since the oldest task was submitted that could run now; 0 if there is none.")
TASK_WAIT: Final = Histogram("queue.task.wait", "s", ("queue", "task"), "From submission until the first attempt.", TASKS)
TASK_DURATION: Final = Histogram("queue.task.duration", "s", ("queue", "task", "outcome"), "How long an attempt took: done, retried, gated, dead or cancelled.", TASKS)
TASK_RETRIES: Final = Counter("queue.task.retries", "{task}", ("queue", "task"), "Attempts that failed and are made again.")

# Claude
CLAUDE_QUERIES: Final = Counter("claude.queries", "{query}", ("purpose", "model", "outcome"), "Questions to Claude that have ended.")
CLAUDE_DURATION: Final = Histogram("claude.query.duration", "s", ("purpose", "model", "outcome"), "How long Claude took, from asking to the end.", MODEL)
CLAUDE_WAIT: Final = Histogram("claude.query.wait", "s", ("purpose",), "How long questions waited in the line before they were asked.", MODEL)
FIRST_CHUNK: Final = Histogram("gen_ai.client.operation.time_to_first_chunk", "s", ("gen_ai.request.model",), "From asking until the first word.", MODEL)
INPUT_TOKENS: Final = Counter("gen_ai.client.inference.usage.input_tokens", "{token}", ("gen_ai.request.model",), "Tokens read that were in no cache.")
OUTPUT_TOKENS: Final = Counter("gen_ai.client.inference.usage.output_tokens", "{token}", ("gen_ai.request.model",), "Tokens written, thinking included.")
CACHE_READ_TOKENS: Final = Counter("gen_ai.client.inference.usage.cache_read.input_tokens", "{token}", ("gen_ai.request.model",), "Tokens read from the cache.")
CACHE_WRITE_TOKENS: Final = Counter("gen_ai.client.inference.usage.cache_write.input_tokens", "{token}", ("gen_ai.request.model",), "Tokens written to the cache.")
CLAUDE_COST: Final = Counter("claude.cost.usd", "{USD}", ("purpose", "model"), "Dollars that the questions which have ended cost.")
BUDGET: Final = Gauge("claude.budget.usd", "{USD}", ("period",), "Dollars that may be spent in a day and in a month (UTC).")
BUDGET_LEFT: Final = Gauge("claude.budget.remaining.usd", "{USD}", ("period",), "Dollars that may still be spent this day and this month (UTC), what is reserved counting as spent.")
CIRCUIT_STATE: Final = Gauge("claude.circuit.state", "{state}", ("state",), "1 for the state the breaker is in, else 0.")
CIRCUIT_TRANSITIONS: Final = Counter("claude.circuit.transitions", "{transition}", ("to",), "Changes of the breaker to a state.")
CLIENTS: Final = UpDown("claude.clients.active", "{client}", ("kind",), "Claude programs that are alive: for structured answers, or for prose.")
FALSE_ACCEPTS: Final = Gauge("claude.grounding.false_accept.ratio", "1", (), "Bad answers of the kept corpus that the check accepts, 0 to 1.")
FALSE_REJECTS: Final = Gauge("claude.grounding.false_reject.ratio", "1", (), "Good answers of the kept corpus that the check rejects, 0 to 1.")

# Research, the portfolio, trading
ABSTAINED: Final = Gauge("claude.abstain.ratio", "1", (), "Decisions of Claude's in this home that are ABSTAIN, 0 to 1; 0 if there are none.")
ABSTENTIONS: Final = Counter("research.abstentions", "{decision}", ("cause",), "Decisions of Claude's in this home that are ABSTAIN, by the code of why.")
REJECTS: Final = Counter("research.grounding.rejects", "{answer}", ("cause",), "Answers that were not grounded, by the first field that cannot stand.")
VALUE: Final = Gauge("portfolio.value", "{currency}", ("currency",), "What all was worth when it was last valued, cash included.")
EXPOSURE: Final = Gauge("portfolio.exposure", "{currency}", ("currency", "side"), "What is held, long or short, when it was last valued.")
DRAWDOWN: Final = Gauge("portfolio.drawdown", "", ("currency",), "Lost since the highest value that trading has seen, 0 to 1; 0 before it has looked.")
ORDERS: Final = Counter("trading.orders", "{order}", ("side", "status"), "Times that an order came into a state.")
ORDER_REJECTS: Final = Counter("trading.order.rejects", "{order}", ("reason",), "Orders that were not sent or not taken: the code of a denial, or person, broker, expired.")
TRADING_STATE: Final = Gauge("trading.state", "{state}", ("state",), "1 for the state that trading is in, else 0.")
# fmt: on

REASONS: Final = ("full", "down")
"""Why a message becomes a dead letter; each has a series from the start."""
STALE: Final = "void"
"""The kernel's word for what counts as a stale reply instead."""
CRASHED, DONE = "crashed", "done"
"""What becomes of a message."""
OUTCOMES: Final = ("answered", *(cause.value for cause in Cause))
"""How a question ends; each has a series from the start."""
STATES: Final = ("closed", "open", "half_open")
"""The breaker's."""
MOST: Final = 500
"""Sets of attributes that an instrument shows; what comes later is added up under `other`."""
