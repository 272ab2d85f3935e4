-- Every question to Claude: reserved before it is asked, settled once. Money in units of 1e-9 dollars, times UTC in
-- microseconds; `seconds` is Claude's own time.
CREATE TABLE claude_questions (
    id TEXT PRIMARY KEY,
    correlation_id TEXT NOT NULL,
    purpose TEXT NOT NULL,
    symbol TEXT,
    model TEXT NOT NULL,
    reserved INTEGER NOT NULL CHECK (reserved >= 0),
    cost INTEGER CHECK (cost >= 0),
    outcome TEXT CHECK (outcome IN (
        'answered', 'rate_limited', 'overloaded', 'server', 'network', 'timeout', 'crash', 'authentication', 'billing',
        'model', 'refused', 'too_long', 'conversation_full', 'turn_limit', 'budget', 'no_structured_answer',
        'cancelled', 'deadline', 'circuit_open')),
    asked_at INTEGER NOT NULL,
    ended_at INTEGER,
    seconds REAL CHECK (seconds >= 0),
    CHECK ((cost IS NULL) = (outcome IS NULL) AND (ended_at IS NULL) = (outcome IS NULL)),
    CHECK (seconds IS NULL OR outcome IS NOT NULL)
) STRICT;
CREATE INDEX claude_questions_by_time ON claude_questions (asked_at, cost, reserved);
CREATE INDEX claude_questions_together ON claude_questions (correlation_id, cost, reserved);
CREATE INDEX claude_questions_open ON claude_questions (id) WHERE outcome IS NULL;
CREATE INDEX claude_questions_ended ON claude_questions (ended_at) WHERE outcome IS NOT NULL;

CREATE TRIGGER claude_questions_settle_once BEFORE UPDATE ON claude_questions
WHEN OLD.outcome IS NOT NULL OR NEW.outcome IS NULL
    OR (OLD.id, OLD.correlation_id, OLD.purpose, OLD.symbol, OLD.model, OLD.reserved, OLD.asked_at) IS NOT
        (NEW.id, NEW.correlation_id, NEW.purpose, NEW.symbol, NEW.model, NEW.reserved, NEW.asked_at)
BEGIN SELECT RAISE(ABORT, 'what questions cost is append-only: a question is settled once'); END;
CREATE TRIGGER claude_questions_remain BEFORE DELETE ON claude_questions
BEGIN SELECT RAISE(ABORT, 'what questions cost is append-only'); END;

-- The breaker's states, one after the other; the newest is the state it is in.
CREATE TABLE claude_breaker (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    state TEXT NOT NULL CHECK (state IN ('closed', 'open', 'half_open')),
    failures INTEGER NOT NULL CHECK (failures >= 0),
    cause TEXT NOT NULL,
    sentence TEXT NOT NULL,
    retry_at INTEGER,
    at INTEGER NOT NULL,
    CHECK (state <> 'open' OR retry_at IS NOT NULL)
) STRICT;

-- What a person has agreed to; the newest holds.
CREATE TABLE claude_consents (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    model TEXT NOT NULL,
    usd_per_round INTEGER NOT NULL CHECK (usd_per_round >= 0)
) STRICT;

-- System prompts, by the sha256 of their text, in hexadecimal.
CREATE TABLE prompts (
    hash TEXT PRIMARY KEY CHECK (length(hash) = 64),
    text TEXT NOT NULL
) STRICT;

CREATE TRIGGER claude_breaker_stay BEFORE UPDATE ON claude_breaker
BEGIN SELECT RAISE(ABORT, 'the breaker''s history is append-only'); END;
CREATE TRIGGER claude_breaker_remain BEFORE DELETE ON claude_breaker
BEGIN SELECT RAISE(ABORT, 'the breaker''s history is append-only'); END;
CREATE TRIGGER claude_consents_stay BEFORE UPDATE ON claude_consents
BEGIN SELECT RAISE(ABORT, 'consents are append-only'); END;
CREATE TRIGGER claude_consents_remain BEFORE DELETE ON claude_consents
BEGIN SELECT RAISE(ABORT, 'consents are append-only'); END;
CREATE TRIGGER prompts_stay BEFORE UPDATE ON prompts
BEGIN SELECT RAISE(ABORT, 'prompts are append-only'); END;
CREATE TRIGGER prompts_remain BEFORE DELETE ON prompts
BEGIN SELECT RAISE(ABORT, 'prompts are append-only'); END;
