-- So that every owner's first jobs are found, however many jobs of another owner were submitted before them.
CREATE INDEX jobs_ready_by_owner ON jobs(owner, priority DESC, seq) WHERE ready > 0 AND held = 0 AND acknowledged_at IS NOT NULL;
