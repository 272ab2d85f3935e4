-- Sessions of exchanges, by their date there; times are UTC in microseconds. The day lasts from `begins` to `ends`.
CREATE TABLE calendar_sessions (
    calendar TEXT NOT NULL,
    session TEXT NOT NULL,
    begins INTEGER NOT NULL,
    opens INTEGER NOT NULL CHECK (opens >= begins),
    closes INTEGER NOT NULL CHECK (closes > opens),
    ends INTEGER NOT NULL CHECK (ends >= closes),
    PRIMARY KEY (calendar, session)
) STRICT, WITHOUT ROWID;
CREATE INDEX calendar_sessions_by_time ON calendar_sessions (calendar, closes);

-- What a source says of a symbol besides its prices; no row where it says nothing.
CREATE TABLE symbol_sectors (
    symbol TEXT PRIMARY KEY,
    sector TEXT NOT NULL
) STRICT, WITHOUT ROWID;
