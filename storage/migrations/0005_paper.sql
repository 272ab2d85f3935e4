-- The paper broker's own books. Quantities, prices and amounts in units of 1e-9, times UTC in microseconds, sessions
-- YYYY-MM-DD. `number` is the order of arrival. Of a rejected order only why is kept: its amounts may be none.
CREATE TABLE paper_orders (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    client_id TEXT NOT NULL UNIQUE,
    parent TEXT REFERENCES paper_orders (client_id),
    symbol TEXT NOT NULL,
    side TEXT NOT NULL CHECK (side IN ('buy', 'sell')),
    quantity INTEGER CHECK (quantity > 0),
    kind TEXT NOT NULL CHECK (kind IN ('market', 'limit', 'stop', 'stop_limit', 'trailing_stop')),
    in_force TEXT NOT NULL CHECK (in_force IN ('day', 'gtc', 'ioc')),
    limit_price INTEGER,
    stop_price INTEGER,
    trail INTEGER,
    take_profit INTEGER,
    stop_loss INTEGER,
    came TEXT,
    stage TEXT NOT NULL CHECK (stage IN ('working', 'filled', 'cancelled', 'expired', 'rejected')),
    filled INTEGER NOT NULL CHECK (filled >= 0),
    triggered INTEGER NOT NULL CHECK (triggered IN (0, 1)),
    best INTEGER,
    why TEXT NOT NULL,
    at INTEGER NOT NULL,
    ended_at INTEGER,
    CHECK (filled <= quantity),
    CHECK ((stage = 'filled') = (filled = coalesce(quantity, -1))),
    CHECK ((stage = 'rejected') = (quantity IS NULL) AND (stage = 'rejected' OR came IS NOT NULL)),
    CHECK ((stage = 'working') = (ended_at IS NULL))
) STRICT;
CREATE INDEX paper_orders_open ON paper_orders (number) WHERE stage = 'working';
CREATE INDEX paper_orders_ended ON paper_orders (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE paper_executions (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    execution_id TEXT NOT NULL UNIQUE,
    client_id TEXT NOT NULL REFERENCES paper_orders (client_id),
    symbol TEXT NOT NULL,
    side TEXT NOT NULL CHECK (side IN ('buy', 'sell')),
    quantity INTEGER NOT NULL CHECK (quantity > 0),
    price INTEGER NOT NULL CHECK (price > 0),
    amount INTEGER NOT NULL CHECK (amount >= 0),
    fee INTEGER NOT NULL CHECK (fee >= 0),
    session TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;
CREATE INDEX paper_executions_by_session ON paper_executions (symbol, session, quantity);
CREATE INDEX paper_executions_by_time ON paper_executions (at);

-- Up to which session the open orders of a symbol were matched: no bar is used twice.
CREATE TABLE paper_sessions (symbol TEXT PRIMARY KEY, session TEXT NOT NULL) STRICT, WITHOUT ROWID;

CREATE TRIGGER paper_orders_end_once BEFORE UPDATE ON paper_orders WHEN OLD.stage <> 'working'
BEGIN SELECT RAISE(ABORT, 'the paper broker''s books are append-only: an order that has ended stays as it is'); END;
CREATE TRIGGER paper_orders_remain BEFORE DELETE ON paper_orders
BEGIN SELECT RAISE(ABORT, 'the paper broker''s books are append-only'); END;
CREATE TRIGGER paper_executions_stay BEFORE UPDATE ON paper_executions
BEGIN SELECT RAISE(ABORT, 'the paper broker''s books are append-only'); END;
CREATE TRIGGER paper_executions_remain BEFORE DELETE ON paper_executions
BEGIN SELECT RAISE(ABORT, 'the paper broker''s books are append-only'); END;
CREATE TRIGGER paper_sessions_go_on BEFORE UPDATE ON paper_sessions WHEN NEW.session <= OLD.session
BEGIN SELECT RAISE(ABORT, 'a session is matched once'); END;
