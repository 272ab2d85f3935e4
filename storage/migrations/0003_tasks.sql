-- A claim looks at what is ready alone: due and not blocked. `run_after` is 0 from the moment its time has come.
DROP INDEX tasks_waiting;
DROP INDEX tasks_due;
CREATE INDEX tasks_ready ON tasks (queue, requires_claude, priority DESC, id) WHERE state = 'queued' AND run_after = 0;
CREATE INDEX tasks_due ON tasks (run_after) WHERE state = 'queued' AND run_after > 0;
CREATE INDEX tasks_ended ON tasks (ended_at) WHERE ended_at IS NOT NULL;

-- How far the running attempt is, 0 to 1, where its worker says so.
ALTER TABLE tasks ADD COLUMN progress REAL CHECK (progress BETWEEN 0 AND 1);

-- Queues of which nothing is leased, and since when; a person has paused them.
CREATE TABLE paused_queues (
    queue TEXT PRIMARY KEY CHECK (queue IN ('portfolio', 'data', 'analysis')),
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- How many tasks there are, so that nobody has to count a million of them.
CREATE TABLE task_counts (
    queue TEXT NOT NULL,
    state TEXT NOT NULL,
    tasks INTEGER NOT NULL CHECK (tasks >= 0),
    PRIMARY KEY (queue, state)
) STRICT, WITHOUT ROWID;
INSERT INTO task_counts (queue, state, tasks)
SELECT queues.value, states.value,
    (SELECT count(*) FROM tasks WHERE tasks.queue = queues.value AND tasks.state = states.value)
FROM json_each('["portfolio", "data", "analysis"]') AS queues,
    json_each('["blocked", "queued", "leased", "done", "dead", "cancelled"]') AS states;

CREATE TRIGGER tasks_count_new AFTER INSERT ON tasks
BEGIN UPDATE task_counts SET tasks = tasks + 1 WHERE queue = NEW.queue AND state = NEW.state; END;
CREATE TRIGGER tasks_count_changed AFTER UPDATE OF state ON tasks WHEN OLD.state <> NEW.state
BEGIN
    UPDATE task_counts SET tasks = tasks + CASE state WHEN NEW.state THEN 1 ELSE -1 END
    WHERE queue = NEW.queue AND state IN (OLD.state, NEW.state);
END;
CREATE TRIGGER tasks_count_gone AFTER DELETE ON tasks
BEGIN UPDATE task_counts SET tasks = tasks - 1 WHERE queue = OLD.queue AND state = OLD.state; END;

-- The same transitions as before, asked for in a way that costs a third: a list of pairs was built anew for each row.
DROP TRIGGER tasks_transitions;
CREATE TRIGGER tasks_transitions BEFORE UPDATE OF state ON tasks
WHEN NOT CASE OLD.state
    WHEN 'queued' THEN NEW.state = 'leased' OR NEW.state = 'cancelled' OR NEW.state = 'dead'
    WHEN 'leased' THEN NEW.state = 'done' OR NEW.state = 'queued' OR NEW.state = 'dead' OR NEW.state = 'cancelled'
    WHEN 'blocked' THEN NEW.state = 'queued' OR NEW.state = 'dead'
    WHEN 'dead' THEN NEW.state = 'queued' OR NEW.state = 'blocked'
    ELSE 0 END
BEGIN SELECT RAISE(ABORT, 'a task does not go from its state to this one'); END;
