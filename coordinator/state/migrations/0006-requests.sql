-- What providers were asked, by us and by agents. `pending`: not shared out among tasks yet. Pool `(store)`: the primary store.
CREATE TABLE requests (pool TEXT NOT NULL, operation TEXT NOT NULL, total INTEGER NOT NULL, pending INTEGER NOT NULL, PRIMARY KEY (pool, operation)) STRICT, WITHOUT ROWID;

-- A job's share of them, in parts of requests.
CREATE TABLE job_requests (job INTEGER NOT NULL, pool TEXT NOT NULL, operation TEXT NOT NULL, count REAL NOT NULL, PRIMARY KEY (job, pool, operation)) STRICT, WITHOUT ROWID;

-- What a boot of an agent said last: its requests since it started, as JSON.
ALTER TABLE boots ADD COLUMN requests TEXT;
