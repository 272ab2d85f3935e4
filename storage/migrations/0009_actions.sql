-- Splits and dividends, as the price source has them; `session` is the first in which shares are new ones, or are traded
-- without the dividend. Of a split `value` new shares come for `per` old ones, a dividend is `value` in the desk's
-- currency for each share; both in units of 1e-9. `source` is where it stands.
CREATE TABLE corporate_actions (
    symbol TEXT NOT NULL,
    session TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('dividend', 'split')),
    value INTEGER NOT NULL CHECK (value > 0),
    per INTEGER NOT NULL CHECK (per > 0),
    source TEXT NOT NULL,
    PRIMARY KEY (symbol, session, kind)
) STRICT, WITHOUT ROWID;
CREATE INDEX corporate_actions_by_session ON corporate_actions (session);

CREATE INDEX valuations_by_session ON valuations (as_of);

-- Those that trading has seen to, once each: what was held is booked, and its orders are in new shares.
CREATE TABLE trading_actions (
    broker TEXT NOT NULL,
    symbol TEXT NOT NULL,
    session TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('dividend', 'split')),
    at INTEGER NOT NULL,
    PRIMARY KEY (broker, symbol, session, kind)
) STRICT, WITHOUT ROWID;

-- Which working orders on paper were changed by which of them, when the bar of its session was matched.
CREATE TABLE paper_adjustments (
    client_id TEXT NOT NULL REFERENCES paper_orders (client_id),
    session TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('dividend', 'split')),
    at INTEGER NOT NULL,
    PRIMARY KEY (client_id, session, kind)
) STRICT, WITHOUT ROWID;
CREATE INDEX paper_adjustments_by_time ON paper_adjustments (at);
