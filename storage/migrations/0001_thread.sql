-- The desk itself: what may never change within one home.
CREATE TABLE home (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

-- Durable tasks. Times are UTC in microseconds.
CREATE TABLE tasks (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    queue TEXT NOT NULL CHECK (queue IN ('portfolio', 'data', 'analysis')),
    type TEXT NOT NULL,
    version INTEGER NOT NULL,
    payload TEXT NOT NULL,
    priority INTEGER NOT NULL CHECK (priority BETWEEN 1 AND 10),
    requires_claude INTEGER NOT NULL CHECK (requires_claude IN (0, 1)),
    state TEXT NOT NULL CHECK (state IN ('blocked', 'queued', 'leased', 'done', 'dead', 'cancelled')),
    attempts INTEGER NOT NULL DEFAULT 0,
    run_after INTEGER NOT NULL DEFAULT 0,
    correlation_id TEXT NOT NULL,
    error TEXT,
    submitted_at INTEGER NOT NULL,
    ended_at INTEGER
) STRICT;
CREATE INDEX tasks_waiting ON tasks (requires_claude, priority DESC, id) WHERE state = 'queued';
CREATE INDEX tasks_due ON tasks (run_after) WHERE state = 'queued';
CREATE INDEX tasks_leased ON tasks (id) WHERE state = 'leased';
CREATE INDEX tasks_together ON tasks (correlation_id);

-- The design's table of transitions, and dead -> blocked for a revived task whose needs are not done yet.
CREATE TRIGGER tasks_transitions BEFORE UPDATE OF state ON tasks
WHEN OLD.state || ' ' || NEW.state NOT IN (
    'blocked queued', 'blocked dead', 'queued leased', 'queued cancelled', 'queued dead', 'leased done',
    'leased queued', 'leased dead', 'leased cancelled', 'dead queued', 'dead blocked')
BEGIN SELECT RAISE(ABORT, 'a task does not go from its state to this one'); END;

CREATE TABLE task_needs (
    task INTEGER NOT NULL REFERENCES tasks,
    needs INTEGER NOT NULL REFERENCES tasks,
    PRIMARY KEY (task, needs)
) STRICT, WITHOUT ROWID;
CREATE INDEX task_needs_by_needed ON task_needs (needs);

-- Daily bars: a row for each symbol and year; see storage/bars.py for the layout of `columns`.
CREATE TABLE bars (
    symbol TEXT NOT NULL,
    year INTEGER NOT NULL,
    digest BLOB NOT NULL,
    columns BLOB NOT NULL,
    PRIMARY KEY (symbol, year)
) STRICT;

-- The ledger: amounts and quantities in units of 1e-9. Each transaction's entries sum to zero, in amount and,
-- symbol by symbol, in quantity.
CREATE TABLE ledger_transactions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL CHECK (kind IN ('opening', 'reversal')),
    origin TEXT NOT NULL,
    reverses INTEGER UNIQUE REFERENCES ledger_transactions,
    correlation_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    CHECK ((kind = 'reversal') = (reverses IS NOT NULL))
) STRICT;
CREATE TABLE ledger_entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    transaction_id INTEGER NOT NULL REFERENCES ledger_transactions,
    account TEXT NOT NULL CHECK (account IN ('holdings', 'cash', 'opening')),
    symbol TEXT,
    quantity INTEGER NOT NULL,
    amount INTEGER NOT NULL,
    acquired TEXT,
    CHECK (symbol IS NOT NULL OR quantity = 0)
) STRICT;
CREATE INDEX ledger_entries_by_transaction ON ledger_entries (transaction_id);
CREATE INDEX ledger_entries_by_account ON ledger_entries (account, symbol, quantity, amount);

-- What was worked out, as versioned JSON.
CREATE TABLE valuations (
    correlation_id TEXT PRIMARY KEY,
    as_of TEXT NOT NULL,
    version INTEGER NOT NULL,
    payload TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE fact_sheets (
    correlation_id TEXT NOT NULL,
    symbol TEXT NOT NULL,
    version INTEGER NOT NULL,
    payload TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (correlation_id, symbol)
) STRICT;
CREATE TABLE decisions (
    id TEXT PRIMARY KEY,
    correlation_id TEXT NOT NULL,
    symbol TEXT NOT NULL,
    version INTEGER NOT NULL,
    payload TEXT NOT NULL,
    at INTEGER NOT NULL,
    UNIQUE (correlation_id, symbol)
) STRICT;

-- Append-only, whoever holds the connection.
CREATE TRIGGER ledger_transactions_stay BEFORE UPDATE ON ledger_transactions
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER ledger_transactions_remain BEFORE DELETE ON ledger_transactions
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER ledger_entries_stay BEFORE UPDATE ON ledger_entries
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER ledger_entries_remain BEFORE DELETE ON ledger_entries
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER decisions_stay BEFORE UPDATE ON decisions
BEGIN SELECT RAISE(ABORT, 'decision records are append-only'); END;
CREATE TRIGGER decisions_remain BEFORE DELETE ON decisions
BEGIN SELECT RAISE(ABORT, 'decision records are append-only'); END;
