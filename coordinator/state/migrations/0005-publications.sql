-- Tasks whose committed files are still to be put where their job's `outputs.to` says. A row leaves when they are there.
CREATE TABLE publications (job INTEGER NOT NULL, idx INTEGER NOT NULL, tries INTEGER NOT NULL, next_at INTEGER NOT NULL, error TEXT, PRIMARY KEY (job, idx)) STRICT, WITHOUT ROWID;
CREATE INDEX publications_due ON publications(next_at);

-- How many tasks of a job have been published.
CREATE TABLE published (job INTEGER PRIMARY KEY, tasks INTEGER NOT NULL) STRICT;
