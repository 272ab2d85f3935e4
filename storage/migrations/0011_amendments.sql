-- Other prices for a working order, as a person wants them: the intent first, then what became of it. Of an order one is
-- open at a time. Prices in units of 1e-9, times UTC in microseconds.
CREATE TABLE trading_amendments (
    order_id TEXT NOT NULL REFERENCES trading_orders,
    number INTEGER NOT NULL CHECK (number > 0),
    limit_price INTEGER CHECK (limit_price > 0),
    stop_price INTEGER CHECK (stop_price > 0),
    state TEXT NOT NULL CHECK (state IN ('intended', 'done', 'failed')),
    why TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (order_id, number),
    CHECK (limit_price IS NOT NULL OR stop_price IS NOT NULL)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX trading_amendments_open ON trading_amendments (order_id) WHERE state = 'intended';
CREATE TRIGGER trading_amendments_end_once BEFORE UPDATE ON trading_amendments
WHEN NEW.state = 'intended' OR OLD.state = 'done' OR (OLD.state = 'failed' AND NEW.state = 'failed')
BEGIN SELECT RAISE(ABORT, 'an amendment ends once, or was made after all'); END;
CREATE TRIGGER trading_amendments_remain BEFORE DELETE ON trading_amendments
BEGIN SELECT RAISE(ABORT, 'amendments are append-only'); END;

-- Which amendment the prices of an order on paper are of; 0 where they are those it came with.
ALTER TABLE paper_orders ADD COLUMN change INTEGER NOT NULL DEFAULT 0;
