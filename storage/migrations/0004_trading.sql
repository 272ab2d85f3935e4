-- Orders, from the moment they are sized; quantities and prices in units of 1e-9, times UTC in microseconds.
-- `approved` is the intent: from then on it is sent, until the broker is known to have it or not to want it.
CREATE TABLE trading_orders (
    id TEXT PRIMARY KEY,
    decision TEXT NOT NULL,
    correlation_id TEXT NOT NULL,
    broker TEXT NOT NULL,
    symbol TEXT NOT NULL,
    side TEXT NOT NULL CHECK (side IN ('buy', 'sell')),
    quantity INTEGER NOT NULL CHECK (quantity >= 0),
    filled INTEGER NOT NULL DEFAULT 0 CHECK (filled BETWEEN 0 AND quantity),
    price INTEGER NOT NULL,
    ticket TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('staged', 'approved', 'working', 'filled', 'cancelled', 'lapsed', 'refused',
        'rejected', 'expired', 'denied')),
    why TEXT NOT NULL,
    approved_by TEXT,
    mandate TEXT,
    staged_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX trading_orders_open ON trading_orders (state, id) WHERE state IN ('staged', 'approved', 'working');
CREATE INDEX trading_orders_by_decision ON trading_orders (decision);
CREATE INDEX trading_orders_by_day ON trading_orders (staged_at);

CREATE TRIGGER trading_orders_transitions BEFORE UPDATE OF state ON trading_orders
WHEN OLD.state <> NEW.state AND NOT CASE OLD.state
    WHEN 'staged' THEN NEW.state IN ('approved', 'rejected', 'expired', 'denied')
    WHEN 'approved' THEN NEW.state IN ('working', 'filled', 'cancelled', 'lapsed', 'refused', 'denied')
    WHEN 'working' THEN NEW.state IN ('filled', 'cancelled', 'lapsed', 'refused')
    ELSE 0 END
BEGIN SELECT RAISE(ABORT, 'an order does not go from its state to this one'); END;

-- What was executed, once each.
CREATE TABLE trading_fills (
    broker TEXT NOT NULL,
    execution_id TEXT NOT NULL,
    order_id TEXT NOT NULL REFERENCES trading_orders,
    quantity INTEGER NOT NULL CHECK (quantity > 0),
    price INTEGER NOT NULL CHECK (price > 0),
    fee INTEGER NOT NULL,
    session TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (broker, execution_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX trading_fills_by_order ON trading_fills (order_id);

-- What happened to an order, a broker (`order_id` empty) or a decision, in a sentence each.
CREATE TABLE trading_journal (
    id INTEGER PRIMARY KEY,
    order_id TEXT NOT NULL,
    what TEXT NOT NULL,
    sentence TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;
CREATE INDEX trading_journal_by_order ON trading_journal (order_id, id);

-- Whether trading goes on, by scope: `all` or a broker's name. No row is ACTIVE.
CREATE TABLE trading_states (
    scope TEXT PRIMARY KEY,
    state TEXT NOT NULL CHECK (state IN ('ACTIVE', 'REDUCING', 'HALTED')),
    why TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What all was worth when each session was first looked at, and the most it was then.
CREATE TABLE trading_days (
    session TEXT PRIMARY KEY,
    opened INTEGER NOT NULL,
    peak INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TRIGGER trading_fills_stay BEFORE UPDATE ON trading_fills
BEGIN SELECT RAISE(ABORT, 'fills are append-only'); END;
CREATE TRIGGER trading_fills_remain BEFORE DELETE ON trading_fills
BEGIN SELECT RAISE(ABORT, 'fills are append-only'); END;
CREATE TRIGGER trading_journal_stay BEFORE UPDATE ON trading_journal
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER trading_journal_remain BEFORE DELETE ON trading_journal
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;

-- What a person has allowed to be ordered without asking; the newest counts, unless it was withdrawn.
CREATE TABLE trading_mandates (
    id INTEGER PRIMARY KEY,
    hash TEXT NOT NULL,
    text TEXT NOT NULL,
    withdrawn INTEGER NOT NULL DEFAULT 0,
    at INTEGER NOT NULL
) STRICT;
