-- What is measured of Claude, of decisions and of orders, counted by triggers, so that a scrape scans no table.

-- Of a question besides: seconds in the line and until the first word, and what it took of tokens, as the program says.
ALTER TABLE claude_questions ADD COLUMN waited REAL CHECK (waited >= 0);
ALTER TABLE claude_questions ADD COLUMN first_chunk REAL CHECK (first_chunk >= 0);
ALTER TABLE claude_questions ADD COLUMN input_tokens INTEGER NOT NULL DEFAULT 0 CHECK (input_tokens >= 0);
ALTER TABLE claude_questions ADD COLUMN output_tokens INTEGER NOT NULL DEFAULT 0 CHECK (output_tokens >= 0);
ALTER TABLE claude_questions ADD COLUMN cache_read_tokens INTEGER NOT NULL DEFAULT 0 CHECK (cache_read_tokens >= 0);
ALTER TABLE claude_questions ADD COLUMN cache_write_tokens INTEGER NOT NULL DEFAULT 0 CHECK (cache_write_tokens >= 0);

-- Questions that have ended. Dollars in units of 1e-9.
CREATE TABLE claude_totals (
    purpose TEXT NOT NULL,
    model TEXT NOT NULL,
    outcome TEXT NOT NULL,
    questions INTEGER NOT NULL,
    cost INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cache_read_tokens INTEGER NOT NULL,
    cache_write_tokens INTEGER NOT NULL,
    PRIMARY KEY (purpose, model, outcome)
) STRICT, WITHOUT ROWID;
-- Their times by bucket: `bucket` is how many of the bounds below are less; `what` is seconds, waited or first_chunk.
CREATE TABLE claude_times (
    what TEXT NOT NULL,
    purpose TEXT NOT NULL,
    model TEXT NOT NULL,
    outcome TEXT NOT NULL,
    bucket INTEGER NOT NULL,
    times INTEGER NOT NULL,
    seconds REAL NOT NULL,
    PRIMARY KEY (what, purpose, model, outcome, bucket)
) STRICT, WITHOUT ROWID;

-- Questions that have ended; inserted into, it counts them.
CREATE VIEW claude_ends AS SELECT id, purpose, model, outcome, cost, seconds, waited, first_chunk, input_tokens,
    output_tokens, cache_read_tokens, cache_write_tokens FROM claude_questions WHERE outcome IS NOT NULL;
CREATE TRIGGER claude_ends_count INSTEAD OF INSERT ON claude_ends
BEGIN
    INSERT INTO claude_totals VALUES (NEW.purpose, NEW.model, NEW.outcome, 1, NEW.cost, NEW.input_tokens,
        NEW.output_tokens, NEW.cache_read_tokens, NEW.cache_write_tokens)
    ON CONFLICT DO UPDATE SET questions = questions + 1, cost = cost + excluded.cost,
        input_tokens = input_tokens + excluded.input_tokens, output_tokens = output_tokens + excluded.output_tokens,
        cache_read_tokens = cache_read_tokens + excluded.cache_read_tokens,
        cache_write_tokens = cache_write_tokens + excluded.cache_write_tokens;
    INSERT INTO claude_times
    SELECT name, NEW.purpose, NEW.model, NEW.outcome,
        (SELECT count(*) FROM json_each('[0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300]') WHERE value < took), 1, took
    FROM (SELECT 'seconds' AS name, NEW.seconds AS took UNION ALL SELECT 'waited', NEW.waited
        UNION ALL SELECT 'first_chunk', NEW.first_chunk) WHERE took IS NOT NULL
    ON CONFLICT DO UPDATE SET times = times + 1, seconds = seconds + excluded.seconds;
END;
INSERT INTO claude_ends SELECT * FROM claude_ends;
CREATE TRIGGER claude_questions_count_new AFTER INSERT ON claude_questions WHEN NEW.outcome IS NOT NULL
BEGIN INSERT INTO claude_ends SELECT * FROM claude_ends WHERE id = NEW.id; END;
CREATE TRIGGER claude_questions_count_settled AFTER UPDATE OF outcome ON claude_questions
BEGIN INSERT INTO claude_ends SELECT * FROM claude_ends WHERE id = NEW.id; END;

-- The newest failures, whatever was answered since.
CREATE INDEX claude_questions_failed ON claude_questions (ended_at)
WHERE outcome <> 'answered' AND outcome <> 'circuit_open';

-- How often the breaker went from another state into this one; it began closed.
CREATE TABLE claude_breaker_counts (state TEXT PRIMARY KEY, entered INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO claude_breaker_counts
SELECT name.value, (SELECT count(*) FROM (
    SELECT state, lag(state, 1, 'closed') OVER (ORDER BY number) AS before FROM claude_breaker)
    WHERE state <> before AND state = name.value)
FROM json_each('["closed", "open", "half_open"]') AS name;
CREATE TRIGGER claude_breaker_count AFTER INSERT ON claude_breaker
WHEN NEW.state <> coalesce(
    (SELECT state FROM claude_breaker WHERE number < NEW.number ORDER BY number DESC LIMIT 1), 'closed')
BEGIN UPDATE claude_breaker_counts SET entered = entered + 1 WHERE state = NEW.state; END;

-- Claude's decisions: `what` is made, abstained (`cause` is the code of why) or rejected, an answer that was not
-- grounded (`cause` is the first field that cannot stand, or mid_stream where it was cancelled while it streamed).
CREATE TABLE decision_counts (
    what TEXT NOT NULL CHECK (what IN ('made', 'abstained', 'rejected')),
    cause TEXT NOT NULL,
    decisions INTEGER NOT NULL,
    PRIMARY KEY (what, cause)
) STRICT, WITHOUT ROWID;
CREATE VIEW decision_ends AS
SELECT id, 'made' AS what, '' AS cause FROM decisions WHERE json_valid(payload) AND payload ->> 'analyst' = 'claude'
UNION ALL
SELECT id, 'abstained', CASE WHEN instr(payload ->> 'cause', ':')
    THEN substr(payload ->> 'cause', 1, instr(payload ->> 'cause', ':') - 1) ELSE 'other' END
FROM decisions
WHERE json_valid(payload) AND payload ->> 'analyst' = 'claude' AND payload ->> 'action' = 'ABSTAIN'
UNION ALL
SELECT decisions.id, 'rejected', CASE WHEN each.value GLOB 'cancelled while it streamed;*' THEN 'mid_stream'
    ELSE coalesce((SELECT field.value FROM json_each(
        '["action", "conviction", "horizon_days", "target", "stop", "thesis", "cited", "cause"]') AS field
        WHERE each.value GLOB field.value || ':*'), 'answer') END
FROM decisions, json_each(CASE WHEN json_valid(payload) THEN payload -> '$.inquiry.checks' END) AS each
WHERE payload ->> 'analyst' = 'claude' AND each.value <> '';
INSERT INTO decision_counts SELECT what, cause, count(*) FROM decision_ends GROUP BY what, cause;
CREATE TRIGGER decisions_count AFTER INSERT ON decisions
BEGIN
    INSERT INTO decision_counts SELECT what, cause, count(*) FROM decision_ends WHERE id = NEW.id GROUP BY what, cause
    ON CONFLICT DO UPDATE SET decisions = decisions + excluded.decisions;
END;

-- The newest valuation.
CREATE INDEX valuations_by_time ON valuations (at);

-- How often orders came into a state. `reason` is the code of a denial; what a person or a broker has written is theirs.
CREATE TABLE trading_counts (
    side TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    orders INTEGER NOT NULL,
    PRIMARY KEY (side, state, reason)
) STRICT, WITHOUT ROWID;
CREATE VIEW trading_moves AS
SELECT id, side, state, CASE WHEN state = 'denied' AND instr(why, ':') THEN substr(why, 1, instr(why, ':') - 1) ELSE ''
    END AS reason FROM trading_orders;
INSERT INTO trading_counts SELECT side, state, reason, count(*) FROM trading_moves GROUP BY side, state, reason;
CREATE TRIGGER trading_orders_count_new AFTER INSERT ON trading_orders
BEGIN
    INSERT INTO trading_counts SELECT side, state, reason, 1 FROM trading_moves WHERE id = NEW.id
    ON CONFLICT DO UPDATE SET orders = orders + 1;
END;
CREATE TRIGGER trading_orders_count_moved AFTER UPDATE OF state ON trading_orders WHEN OLD.state <> NEW.state
BEGIN
    INSERT INTO trading_counts SELECT side, state, reason, 1 FROM trading_moves WHERE id = NEW.id
    ON CONFLICT DO UPDATE SET orders = orders + 1;
END;
