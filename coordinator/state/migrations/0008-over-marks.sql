-- Which pools had units of a job. Once the job is over (`due`: since when), it is marked as such in the stores of these pools; then the row leaves.
CREATE TABLE over_marks (job INTEGER NOT NULL, pool TEXT NOT NULL, due INTEGER, PRIMARY KEY (job, pool)) STRICT, WITHOUT ROWID;
CREATE INDEX over_marks_due ON over_marks(pool, due, job) WHERE due IS NOT NULL;

-- Of units of before, those that are still out.
INSERT OR IGNORE INTO over_marks(job, pool) SELECT job, pool FROM units WHERE open > 0;
