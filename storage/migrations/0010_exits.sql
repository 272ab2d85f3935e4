-- Whether the stop and target of an order are watched here, since its broker cannot hold them; of such a leg, too.
ALTER TABLE trading_orders ADD COLUMN watched INTEGER NOT NULL DEFAULT 0 CHECK (watched IN (0, 1));

-- What trading was halted for, a person, a loss or books that may be wrong, and whether positions are closed by it.
ALTER TABLE trading_states ADD COLUMN cause TEXT NOT NULL DEFAULT 'person' CHECK (cause IN ('person', 'loss', 'books'));
ALTER TABLE trading_states ADD COLUMN flatten INTEGER NOT NULL DEFAULT 0 CHECK (flatten IN (0, 1));
UPDATE trading_states SET cause = 'books'
WHERE state = 'HALTED' AND (why GLOB 'ledger: *' OR why GLOB 'reconciliation: *' OR why GLOB 'execution *');
