-- The books of a trading desk. SQLite cannot change a CHECK, so both tables of the ledger are made anew, with their ids.
DROP TRIGGER ledger_transactions_stay;
DROP TRIGGER ledger_transactions_remain;
DROP TRIGGER ledger_entries_stay;
DROP TRIGGER ledger_entries_remain;
DROP INDEX ledger_entries_by_transaction;
DROP INDEX ledger_entries_by_account;
ALTER TABLE ledger_entries RENAME TO old_entries;
ALTER TABLE ledger_transactions RENAME TO old_transactions;

-- `broker` is the account it happened in. `reference` is what makes it one there: a trade's execution id, the symbol
-- and the day of a dividend or a split, the name of a deposit. `session` is the day that it counts for.
CREATE TABLE ledger_transactions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL
        CHECK (kind IN ('opening', 'reversal', 'trade', 'deposit', 'dividend', 'split', 'settlement')),
    origin TEXT NOT NULL,
    reverses INTEGER UNIQUE REFERENCES ledger_transactions,
    correlation_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    broker TEXT NOT NULL DEFAULT 'paper',
    reference TEXT,
    session TEXT,
    CHECK ((kind = 'reversal') = (reverses IS NOT NULL)),
    CHECK ((kind IN ('trade', 'deposit', 'dividend', 'split')) = (reference IS NOT NULL))
) STRICT;
INSERT INTO ledger_transactions (id, kind, origin, reverses, correlation_id, at)
SELECT id, kind, origin, reverses, correlation_id, at FROM old_transactions ORDER BY id;
CREATE UNIQUE INDEX ledger_transactions_once ON ledger_transactions (reference, broker, kind)
WHERE reference IS NOT NULL;
CREATE INDEX ledger_transactions_openings ON ledger_transactions (broker, id) WHERE kind = 'opening';

-- `lot` says of a line in `holdings` or `realised` which shares it is about, and of `unsettled` of which session's
-- sales. `market` is who is at the other end of a trade's or a split's shares.
CREATE TABLE ledger_entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    transaction_id INTEGER NOT NULL REFERENCES ledger_transactions,
    account TEXT NOT NULL
        CHECK (account IN ('holdings', 'cash', 'opening', 'unsettled', 'market', 'realised', 'fees', 'dividends',
            'deposits')),
    symbol TEXT,
    quantity INTEGER NOT NULL,
    amount INTEGER NOT NULL,
    acquired TEXT,
    lot TEXT,
    CHECK (symbol IS NOT NULL OR quantity = 0),
    CHECK (account NOT IN ('holdings', 'unsettled') OR lot IS NOT NULL)
) STRICT;
INSERT INTO ledger_entries (id, transaction_id, account, symbol, quantity, amount, acquired, lot)
SELECT line.id, line.transaction_id, line.account, line.symbol, line.quantity, line.amount, line.acquired,
    CASE line.account WHEN 'holdings' THEN 'opening ' || coalesce(of.reverses, of.id) END
FROM old_entries AS line JOIN old_transactions AS of ON of.id = line.transaction_id ORDER BY line.id;
DROP TABLE old_entries;
DROP TABLE old_transactions;
CREATE INDEX ledger_entries_by_transaction ON ledger_entries (transaction_id);

-- What the entries sum to, so that nobody has to sum a million of them. Without a symbol it is ''.
CREATE TABLE ledger_balances (
    broker TEXT NOT NULL,
    account TEXT NOT NULL,
    symbol TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    amount INTEGER NOT NULL,
    PRIMARY KEY (broker, account, symbol)
) STRICT, WITHOUT ROWID;
-- The same of `holdings` and `unsettled`, lot by lot, as long as there is something in it. `opened` is the entry that
-- opened it, which gives lots of one day their order.
CREATE TABLE ledger_lots (
    broker TEXT NOT NULL,
    account TEXT NOT NULL,
    symbol TEXT NOT NULL,
    lot TEXT NOT NULL,
    acquired TEXT,
    opened INTEGER NOT NULL,
    quantity INTEGER NOT NULL,
    amount INTEGER NOT NULL,
    PRIMARY KEY (broker, account, symbol, lot)
) STRICT, WITHOUT ROWID;
INSERT INTO ledger_balances (broker, account, symbol, quantity, amount)
SELECT 'paper', account, coalesce(symbol, ''), sum(quantity ORDER BY id), sum(amount ORDER BY id)
FROM ledger_entries GROUP BY account, coalesce(symbol, '');
INSERT INTO ledger_lots (broker, account, symbol, lot, acquired, opened, quantity, amount)
SELECT 'paper', account, symbol, lot, acquired, min(id), sum(quantity ORDER BY id) AS quantities,
    sum(amount ORDER BY id) AS amounts
FROM ledger_entries WHERE account = 'holdings' GROUP BY symbol, lot HAVING quantities <> 0 OR amounts <> 0;

CREATE TRIGGER ledger_entries_sum AFTER INSERT ON ledger_entries
BEGIN
    INSERT INTO ledger_balances (broker, account, symbol, quantity, amount)
    VALUES ((SELECT broker FROM ledger_transactions WHERE id = NEW.transaction_id), NEW.account,
        coalesce(NEW.symbol, ''), NEW.quantity, NEW.amount)
    ON CONFLICT DO UPDATE SET quantity = quantity + excluded.quantity, amount = amount + excluded.amount;
END;
CREATE TRIGGER ledger_entries_sum_lots AFTER INSERT ON ledger_entries WHEN NEW.account IN ('holdings', 'unsettled')
BEGIN
    INSERT INTO ledger_lots (broker, account, symbol, lot, acquired, opened, quantity, amount)
    VALUES ((SELECT broker FROM ledger_transactions WHERE id = NEW.transaction_id), NEW.account,
        coalesce(NEW.symbol, ''), NEW.lot, NEW.acquired, NEW.id, NEW.quantity, NEW.amount)
    ON CONFLICT DO UPDATE SET quantity = quantity + excluded.quantity, amount = amount + excluded.amount;
END;
-- Whoever takes more from a lot than there is, or from one that is gone, has not known how it stands.
CREATE TRIGGER ledger_lots_open AFTER INSERT ON ledger_lots WHEN NEW.account = 'holdings'
BEGIN
    SELECT RAISE(ABORT, 'a lot that is taken from is not there') FROM ledger_transactions
    WHERE id = (SELECT transaction_id FROM ledger_entries WHERE id = NEW.opened)
    AND kind <> 'opening' AND reference IS NOT NEW.lot;
END;
CREATE TRIGGER ledger_lots_end AFTER UPDATE ON ledger_lots
WHEN NEW.quantity = 0 OR (OLD.quantity > 0) <> (NEW.quantity > 0)
BEGIN
    SELECT RAISE(ABORT, 'a lot holds less than is taken from it')
    WHERE NEW.account = 'holdings' AND (NEW.quantity <> 0 OR NEW.amount <> 0);
    DELETE FROM ledger_lots WHERE broker = NEW.broker AND account = NEW.account AND symbol = NEW.symbol
    AND lot = NEW.lot AND quantity = 0 AND amount = 0;
END;

-- The hash chain over ledger and decisions: each link hashes the one before and the text of its row. `chain_hash` is
-- known to the connection that writes, so nobody else can add to what is chained.
CREATE TABLE chain (
    number INTEGER PRIMARY KEY,
    subject TEXT NOT NULL CHECK (subject IN ('old ledger', 'old decisions', 'ledger', 'decision')),
    item ANY NOT NULL,
    hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;
-- Texts end with the entries one after the other, not with a list of lists, which could be written in two ways.
CREATE VIEW ledger_texts AS
SELECT id, CAST(
    json_array('ledger', id, kind, origin, reverses, correlation_id, at, broker, reference, session) || coalesce((
        SELECT group_concat(line, '') FROM (
            SELECT json_array(id, account, symbol, quantity, amount, acquired, lot) AS line
            FROM ledger_entries WHERE transaction_id = ledger_transactions.id ORDER BY id)
    ), '') AS BLOB) AS text
FROM ledger_transactions;
CREATE VIEW decision_texts AS
SELECT id, CAST(json_array('decision', id, correlation_id, symbol, version, payload, at) AS BLOB) AS text FROM decisions;

-- What was there before cannot be chained any more; how many rows, and the hash of their hashes, stand at the beginning.
INSERT INTO chain (number, subject, item, hash)
SELECT 1, 'old ledger', count(*), chain_hash(x'', CAST(json_array('old ledger', count(*),
    coalesce(group_concat(hex(chain_hash(x'', text)), '' ORDER BY id), '')) AS BLOB)) FROM ledger_texts;
INSERT INTO chain (number, subject, item, hash)
SELECT 2, 'old decisions', count(*), chain_hash((SELECT hash FROM chain WHERE number = 1),
    CAST(json_array('old decisions', count(*),
    coalesce(group_concat(hex(chain_hash(x'', text)), '' ORDER BY id), '')) AS BLOB)) FROM decision_texts;

CREATE TRIGGER decisions_chain AFTER INSERT ON decisions
BEGIN
    INSERT INTO chain (number, subject, item, hash) VALUES (
        (SELECT max(number) + 1 FROM chain), 'decision', NEW.id,
        chain_hash((SELECT hash FROM chain ORDER BY number DESC LIMIT 1),
            (SELECT text FROM decision_texts WHERE id = NEW.id)));
END;

-- A transaction with all its entries is one row inserted here, `lines` a JSON list of [account, symbol, quantity,
-- amount, acquired, lot]: one statement, which is chained once and is whole or nothing. One whose reference is there
-- already changes nothing. The lot '' is the one that an opening opens.
CREATE VIEW ledger_bookings AS
SELECT kind, origin, reverses, correlation_id, at, broker, reference, session, '[]' AS lines FROM ledger_transactions;
CREATE TRIGGER ledger_book INSTEAD OF INSERT ON ledger_bookings
WHEN NEW.reference IS NULL OR NOT EXISTS (
    SELECT 1 FROM ledger_transactions
    WHERE reference = NEW.reference AND broker = NEW.broker AND kind = NEW.kind)
BEGIN
    INSERT INTO ledger_transactions (kind, origin, reverses, correlation_id, at, broker, reference, session)
    VALUES (NEW.kind, NEW.origin, NEW.reverses, NEW.correlation_id, NEW.at, NEW.broker, NEW.reference, NEW.session);
    INSERT INTO ledger_entries (transaction_id, account, symbol, quantity, amount, acquired, lot)
    SELECT of.id, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4,
        CASE value ->> 5 WHEN '' THEN 'opening ' || of.id ELSE value ->> 5 END
    FROM (SELECT max(id) AS id FROM ledger_transactions) AS of, json_each(NEW.lines) ORDER BY key;
    SELECT RAISE(ABORT, 'the entries of a transaction do not sum to zero') FROM (
        SELECT sum(amount) AS amounts, sum(quantity) AS quantities FROM ledger_entries
        WHERE transaction_id = (SELECT max(id) FROM ledger_transactions)
    ) WHERE amounts <> 0 OR quantities <> 0;
    INSERT INTO chain (number, subject, item, hash) VALUES (
        (SELECT max(number) + 1 FROM chain), 'ledger', (SELECT max(id) FROM ledger_transactions),
        chain_hash((SELECT hash FROM chain ORDER BY number DESC LIMIT 1),
            (SELECT text FROM ledger_texts WHERE id = (SELECT max(id) FROM ledger_transactions))));
END;

-- Append-only, whoever holds the connection; and added to by the one that knows `chain_hash`: what never runs is looked
-- up all the same, and costs nothing.
CREATE TRIGGER ledger_transactions_ours BEFORE INSERT ON ledger_transactions WHEN NEW.kind IS NULL
BEGIN SELECT chain_hash(x'', x''); END;
CREATE TRIGGER ledger_entries_ours BEFORE INSERT ON ledger_entries WHEN NEW.account IS NULL
BEGIN SELECT chain_hash(x'', x''); END;
CREATE TRIGGER chain_ours BEFORE INSERT ON chain WHEN NEW.hash IS NULL BEGIN SELECT chain_hash(x'', x''); END;
CREATE TRIGGER ledger_transactions_stay BEFORE UPDATE ON ledger_transactions
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER ledger_transactions_remain BEFORE DELETE ON ledger_transactions
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER ledger_entries_stay BEFORE UPDATE ON ledger_entries
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER ledger_entries_remain BEFORE DELETE ON ledger_entries
BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER chain_stays BEFORE UPDATE ON chain
BEGIN SELECT RAISE(ABORT, 'the chain is append-only'); END;
CREATE TRIGGER chain_remains BEFORE DELETE ON chain
BEGIN SELECT RAISE(ABORT, 'the chain is append-only'); END;
