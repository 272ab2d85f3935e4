"""The five dashboards, panel by panel."""

from typing import Final

from telemetry.dashboards.panels import (
    Page,
    Row,
    any_of,
    grown,
    happened,
    headline,
    least,
    mean,
    most,
    of,
    quantile,
    rate,
    series,
    total,
)

YES_NO: Final = ((0.0, "no"), (1.0, "YES"))
PROCESSING: Final = "actor_processing_time_seconds"
MAILBOX: Final = "actor_mailbox_time_seconds"
FAILED: Final = rate("db_operations_total", 'outcome="failed"')
RUNNING: Final = of("actor_running")
EXPOSURE, VALUE = "portfolio_exposure", "portfolio_value"

ready = headline(
    "Actors not ready", "Actors that are starting, being rebuilt, down or stopped.", "short",
    f"count({RUNNING}) - sum({RUNNING})", bad=1,
)  # fmt: skip
oldest_message = headline(
    "Oldest message", "The age of the oldest message that is not done, that at hand included.", "s",
    most("actor_mailbox_oldest_age_seconds"), bad=60,
)  # fmt: skip
tasks_waiting = headline("Tasks that wait", "In all queues, ready or not.", "short", total("queue_depth"))
oldest_task = headline(
    "Oldest task", "Since the oldest task was submitted that could run now.", "s",
    most("queue_oldest_age_seconds"), bad=3600,
)  # fmt: skip
circuit = headline(
    "Claude's breaker is open", "While it is, no question is asked.", "short",
    most("claude_circuit_state", 'state="open"'), bad=1, words=YES_NO,
)  # fmt: skip
left_today = headline(
    "Budget left today", "Dollars that may still be spent on Claude this day (UTC).", "currencyUSD",
    least("claude_budget_remaining_usd", 'period="day"'),
)  # fmt: skip
value = headline(
    "Portfolio", "What all was worth when it was last valued, cash included, in the desk's currency.", "short",
    total("portfolio_value"),
)  # fmt: skip
halted = headline(
    "Trading is halted", "HALTED, by a person, a limit or a full disk: nothing is sent.", "short",
    most("trading_state", 'state="HALTED"'), bad=1, words=YES_NO,
)  # fmt: skip
held = headline(
    "Writes are held", "Nothing can be committed, such as on a full disk.", "short",
    most("db_writes_held"), bad=1, words=YES_NO,
)  # fmt: skip
dead_letters = series(
    "Dead letters and crashes", "Messages nobody will handle, by why, and crashes of actors, a second.", "ops",
    (rate("actor_dead_letters_total", by="reason"), "dead letter: {{reason}}"),
    (rate("actor_failures_total"), "crash"),
)  # fmt: skip
in_mailbox = series(
    "Time in mailbox", "How long messages waited for their actor.", "s",
    (quantile(0.5, MAILBOX), "median"), (quantile(0.99, MAILBOX), "99 %"),
)  # fmt: skip
busy = series(
    "Busy", "The share of its time that an actor has a message at hand; a crew's members are added up.", "percentunit",
    (rate(f"{PROCESSING}_sum", by="actor"), "{{actor}}"),
)  # fmt: skip
tasks_done = series(
    "Tasks done", "Attempts that ended well, by queue, a second.", "ops",
    (rate("queue_task_duration_seconds_count", 'outcome="done"', by="queue"), "{{queue}}"),
)  # fmt: skip
tasks_failed = series(
    "Tasks that failed", "Attempts that are made again, and tasks that are dead, a second.", "ops",
    (rate("queue_task_retries_total"), "retried"),
    (rate("queue_task_duration_seconds_count", 'outcome="dead"'), "dead"),
)  # fmt: skip
task_wait = series(
    "Wait of tasks", "From submission until the first attempt, 95 % of them at most.", "s",
    (quantile(0.95, "queue_task_wait_seconds", by="queue"), "{{queue}}"),
)  # fmt: skip
task_age = series(
    "Oldest task", "Since the oldest task was submitted that could run now, by queue.", "s",
    (of("queue_oldest_age_seconds"), "{{queue}}"),
)  # fmt: skip
questions = series(
    "Questions", "Questions to Claude that were answered, by purpose, a second.", "ops",
    (rate("claude_queries_total", 'outcome="answered"', by="purpose"), "{{purpose}}"),
)  # fmt: skip
unanswered = series(
    "Questions without an answer", "By cause, a second.", "ops",
    (rate("claude_queries_total", 'outcome!="answered"', by="outcome"), "{{outcome}}"),
)  # fmt: skip
answer_time = series(
    "Time to the answer", "From asking until the end, and until the first word.", "s",
    (quantile(0.5, "claude_query_duration_seconds"), "end, median"),
    (quantile(0.95, "claude_query_duration_seconds"), "end, 95 %"),
    (quantile(0.95, "gen_ai_client_operation_time_to_first_chunk_seconds"), "first word, 95 %"),
)  # fmt: skip
budget = series(
    "Budget left", "Dollars that may still be spent this day and this month (UTC).", "currencyUSD",
    (of("claude_budget_remaining_usd"), "{{period}}"),
)  # fmt: skip
commits = series(
    "Time of commits", "How long commits took, the wait for the disk included.", "s",
    (quantile(0.5, "db_commit_duration_seconds"), "median"),
    (quantile(0.99, "db_commit_duration_seconds"), "99 %"),
)  # fmt: skip
wal = series(
    "Write-ahead log", "Its length in use; it begins anew now and then.", "bytes", (of("db_wal_size_bytes"), "log"),
)  # fmt: skip
orders = series(
    "Orders", "Times that orders came into a state in the hour before, by state.", "short",
    (f"round({grown('trading_orders_total', '1h', by='status')})", "{{status}}"),
)  # fmt: skip

OVERVIEW: Final = Page(
    "troupe-overview", "Troupe: overview", "Whether the desk works, at a glance.",
    (
        Row("Now", (ready, oldest_message, tasks_waiting, oldest_task, circuit, left_today, value, halted)),
        Row("Messages", (
            series("Messages", "Messages handled a second.", "ops", (rate(f"{MAILBOX}_count"), "all actors")),
            dead_letters, in_mailbox, busy,
        )),
        Row("Tasks", (tasks_done, tasks_failed, task_wait, task_age)),
        Row("Claude", (questions, unanswered, answer_time, budget)),
        Row("The process", (
            series("Processor", "Seconds of processor time a second.", "percentunit",
                   (rate("process_cpu_seconds_total"), "used")),
            series("Garbage collections", "By generation, a second.", "ops",
                   (rate("python_gc_collections_total", by="generation"), "generation {{generation}}")),
            series("Memory", "What the desk's own process has in memory.", "bytes",
                   (of("process_resident_memory_bytes"), "resident")),
            series("Open files", "The share of the files that may be open.", "percentunit",
                   (f"{of('process_open_fds')} / {of('process_max_fds')}", "open")),
        )),
    ),
)  # fmt: skip

ACTORS: Final = Page(
    "troupe-actors", "Troupe: actors", "What each actor does, and which one is behind.",
    (
        Row("Now", (
            ready, oldest_message,
            headline("Messages a second", "Handled by all actors.", "ops", rate(f"{MAILBOX}_count")),
            headline("Crashes, 1 h", "Of all actors in the hour before.", "short",
                     happened("actor_failures_total", "1h"), bad=1),
            headline("Dead letters, 1 h", "Messages nobody has handled in the hour before.", "short",
                     happened("actor_dead_letters_total", "1h"), bad=1),
        )),
        Row("Messages", (
            series("Messages", "Handled a second, by actor.", "ops",
                   (rate(f"{MAILBOX}_count", by="actor"), "{{actor}}")),
            dead_letters,
            series("Time in mailbox", "99 % of messages waited no longer, by actor.", "s",
                   (quantile(0.99, MAILBOX, by="actor"), "{{actor}}")),
            series("Oldest message", "Its age, by actor.", "s",
                   (of("actor_mailbox_oldest_age_seconds"), "{{actor}}")),
        )),
        Row("Work", (
            series("Slowest messages", "Average time that a message takes, the ten slowest types.", "s",
                   (f"topk(10, {mean(PROCESSING, by='actor, message')})", "{{actor}}: {{message}}")),
            busy,
            series("Mailboxes", "Messages that wait, by actor.", "short", (of("actor_mailbox_depth"), "{{actor}}")),
            series("Crews", "Workers that have something at hand, of those there are.", "percentunit",
                   (f"{of('worker_pool_busy')} / {of('worker_pool_size')}", "{{kind}}")),
        )),
        Row("Lives", (
            series("Incarnations", "How often each was built since the desk was started.", "short",
                   (of("actor_incarnations_total"), "{{actor}}")),
            series("Restarts", "Crashes after which an actor was built anew, a second.", "ops",
                   (rate("actor_restarts_total", by="actor"), "{{actor}}")),
            series("Stale replies", "Answers that came second, or after their owner was rebuilt, a second.", "ops",
                   (rate("actor_stale_replies_total", by="actor"), "{{actor}}")),
        )),
        Row("Events", (
            series("Published", "Events said a second.", "ops",
                   (rate("event_bus_published_total", by="event"), "{{event}}")),
            series("Dropped", "Events for which a mailbox had no room, a second.", "ops",
                   (rate("event_bus_dropped_total", by="subscriber"), "{{subscriber}}")),
            series("Delivered and filtered out", "Events told to subscribers, and kept from them, a second.", "ops",
                   (rate("event_bus_delivered_total", by="subscriber"), "{{subscriber}}: told"),
                   (rate("event_bus_filtered_total", by="subscriber"), "{{subscriber}}: filtered out")),
        )),
    ),
)  # fmt: skip

TOKENS: Final = "gen_ai_client_inference_usage"
CLAUDE: Final = Page(
    "troupe-claude", "Troupe: Claude", "What Claude is asked, how it answers, and what that costs.",
    (
        Row("Now", (
            circuit, left_today,
            headline("Budget left this month", "Dollars that may still be spent this month (UTC).", "currencyUSD",
                     least("claude_budget_remaining_usd", 'period="month"')),
            headline("Cost, 24 h", "Dollars that questions cost in the day before.", "currencyUSD",
                     grown("claude_cost_usd_total", "24h")),
            headline("Programs", "Claude programs that are alive.", "short", total("claude_clients_active")),
            headline("Without a view", "Of Claude's decisions, those that are ABSTAIN.", "percentunit",
                     most("claude_abstain_ratio")),
        )),
        Row("Questions", (
            questions, unanswered, answer_time,
            series("Wait in the line", "Before a question was asked, 95 % at most, by purpose.", "s",
                   (quantile(0.95, "claude_query_wait_seconds", by="purpose"), "{{purpose}}")),
        )),
        Row("Cost", (
            series("Cost", "Dollars an hour, by purpose.", "currencyUSD",
                   (f"3600 * {rate('claude_cost_usd_total', by='purpose')}", "{{purpose}}")),
            series("Tokens", "A second, by kind.", "short",
                   (rate(f"{TOKENS}_input_tokens_total"), "input"), (rate(f"{TOKENS}_output_tokens_total"), "output"),
                   (rate(f"{TOKENS}_cache_read_input_tokens_total"), "read from the cache"),
                   (rate(f"{TOKENS}_cache_write_input_tokens_total"), "written to the cache")),
            budget,
        )),
        Row("Breaker and programs", (
            series("Breaker", "1 for the state that it is in.", "short", (of("claude_circuit_state"), "{{state}}")),
            series("Changes of the breaker", "Into a state, since the home was begun.", "short",
                   (of("claude_circuit_transitions_total"), "{{to}}")),
            series("Programs", "Claude programs that are alive, by kind.", "short",
                   (of("claude_clients_active"), "{{kind}}")),
        )),
        Row("Grounding", (
            series("Without a view", "Decisions that are ABSTAIN, by cause, since the home was begun.", "short",
                   (any_of("research_abstentions_total", "cause"), "{{cause}}")),
            series("Not grounded", "Answers, by the first field that cannot stand, since the home was begun.", "short",
                   (any_of("research_grounding_rejects_total", "cause"),
                    "{{cause}}")),
            series("The check on the kept corpus", "Bad answers it accepts, good ones it rejects.", "percentunit",
                   (of("claude_grounding_false_accept_ratio"), "accepts bad ones"),
                   (of("claude_grounding_false_reject_ratio"), "rejects good ones")),
        )),
    ),
)  # fmt: skip

DATABASE: Final = Page(
    "troupe-database", "Troupe: database and queues", "What is kept, and what waits to be done.",
    (
        Row("Now", (
            held,
            headline("Commits a second", "Each of one batch.", "ops", rate("db_commit_duration_seconds_count")),
            headline("Write-ahead log", "Its length in use.", "bytes", most("db_wal_size_bytes"), bad=256e6),
            headline("Oldest read", "How long it has lasted; the log only grows meanwhile.", "s",
                     most("db_read_oldest_seconds"), bad=30),
            tasks_waiting, oldest_task,
        )),
        Row("Database", (
            series("Statements", "Written a second, by table.", "ops",
                   (rate("db_operations_total", 'outcome="done"', by="table"), "{{table}}")),
            series("Statements that failed", "A second.", "ops",
                   (f"{FAILED} or vector(0)", "failed")),
            series("Time of reads and transactions", "99 % at most.", "s",
                   (quantile(0.99, "db_client_operation_duration_seconds", by="db_operation_name"),
                    "{{db_operation_name}}")),
            commits,
        )),
        Row("Its room", (
            series("Statements in a commit", "On average: the more wait, the more go together.", "short",
                   (mean("db_commit_batch_size"), "average")),
            wal,
            series("Oldest read", "How long it has lasted.", "s", (of("db_read_oldest_seconds"), "oldest")),
        )),
        Row("Tasks", (
            series("Tasks done", "By type, a second.", "ops",
                   (rate("queue_task_duration_seconds_count", 'outcome="done"', by="task"), "{{task}}")),
            tasks_failed,
            series("Time of an attempt", "95 % at most, by type.", "s",
                   (quantile(0.95, "queue_task_duration_seconds", 'outcome="done"', by="task"), "{{task}}")),
            task_wait,
        )),
        Row("Queues", (
            series("Tasks that wait", "Ready or not, by queue.", "short", (of("queue_depth"), "{{queue}}")),
            task_age,
            series("Crews", "Workers that have something at hand, of those there are.", "percentunit",
                   (f"{of('worker_pool_busy')} / {of('worker_pool_size')}", "{{kind}}")),
        )),
    ),
)  # fmt: skip

TRADING: Final = Page(
    "troupe-trading", "Troupe: trading", "What is held, what is ordered, and what is not.",
    (
        Row("Now", (
            halted, value,
            headline("Drawdown", "Lost since the highest value that trading has seen.", "percentunit",
                     most("portfolio_drawdown"), bad=0.1),
            headline("Exposure", "What is held, long and short, as a share of all.", "percentunit",
                     f"{total(EXPOSURE)} / {total(VALUE)}"),
            headline("Filled, 24 h", "Orders that were filled in the day before.", "short",
                     happened("trading_orders_total", "24h", 'status="filled"')),
            headline("Not sent, 24 h", "Orders denied, rejected, refused or expired in the day before.", "short",
                     happened("trading_order_rejects_total", "24h")),
        )),
        Row("Orders", (
            orders,
            series("Orders not sent or not taken", "Since the home was begun, by reason.", "short",
                   (any_of("trading_order_rejects_total", "reason"), "{{reason}}")),
            series("Time of a message", "Of trading and its broker, 99 % at most.", "s",
                   (quantile(0.99, PROCESSING, 'actor=~"trading|broker"', by="actor"), "{{actor}}")),
            series("Oldest message", "Its age, of trading and its broker.", "s",
                   (of("actor_mailbox_oldest_age_seconds", 'actor=~"trading|broker"'), "{{actor}}")),
        )),
        Row("The portfolio", (
            series("Value", "What all was worth when it was last valued, cash included.", "short",
                   (of("portfolio_value"), "{{currency}}")),
            series("Exposure", "What is held, when it was last valued.", "short",
                   (of("portfolio_exposure"), "{{side}}")),
            series("Drawdown", "Lost since the highest value that trading has seen.", "percentunit",
                   (of("portfolio_drawdown"), "{{currency}}")),
            series("State of trading", "1 for the state that it is in.", "short", (of("trading_state"), "{{state}}")),
        )),
    ),
)  # fmt: skip

PAGES: Final = (OVERVIEW, ACTORS, CLAUDE, DATABASE, TRADING)
