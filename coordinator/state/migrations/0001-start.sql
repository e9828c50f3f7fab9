-- Task states are numbers here: the position in TASK_STATES (shared/task-state.ts).
--   0 blocked  1 ready  2 dispatched  3 running  4 backoff  5 succeeded  6 failed  7 cancelled  8 lost

CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;

-- A job and its counters. Tasks without a row are its rest: rest_count tasks, all in rest_state, all at or above rest_from.
CREATE TABLE jobs (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  owner TEXT NOT NULL,
  priority INTEGER NOT NULL,
  labels TEXT NOT NULL,
  spec TEXT NOT NULL,
  spec_sha256 TEXT NOT NULL,
  idempotency_key TEXT,
  retry_of TEXT,
  submitted_at INTEGER NOT NULL,
  acknowledged_at INTEGER,
  held INTEGER NOT NULL,
  queue_deadline INTEGER,
  started_at INTEGER,
  last_end_at INTEGER,
  ended_at INTEGER,
  cancel_reason TEXT,
  size INTEGER NOT NULL,
  rest_state INTEGER NOT NULL,
  rest_from INTEGER NOT NULL,
  rest_count INTEGER NOT NULL,
  rest_verdict INTEGER,
  rest_end_at INTEGER,
  blocked INTEGER NOT NULL, ready INTEGER NOT NULL, dispatched INTEGER NOT NULL, running INTEGER NOT NULL, backoff INTEGER NOT NULL,
  succeeded INTEGER NOT NULL, failed INTEGER NOT NULL, cancelled INTEGER NOT NULL, lost INTEGER NOT NULL,
  pending_succeeded INTEGER NOT NULL, pending_failed INTEGER NOT NULL, pending_cancelled INTEGER NOT NULL, pending_lost INTEGER NOT NULL,
  run_ms INTEGER NOT NULL,
  samples INTEGER NOT NULL,
  events INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX jobs_by_key ON jobs(owner, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX jobs_ready ON jobs(priority DESC, seq) WHERE ready > 0 AND held = 0 AND acknowledged_at IS NOT NULL;
CREATE INDEX jobs_staged ON jobs(seq) WHERE acknowledged_at IS NULL;
CREATE INDEX jobs_by_retry ON jobs(retry_of) WHERE retry_of IS NOT NULL;
CREATE INDEX jobs_by_deadline ON jobs(queue_deadline) WHERE queue_deadline IS NOT NULL;

-- Parameters of tasks of kind `items`, 256 to a row.
CREATE TABLE items (job INTEGER NOT NULL, chunk INTEGER NOT NULL, params TEXT NOT NULL, PRIMARY KEY (job, chunk)) STRICT, WITHOUT ROWID;

CREATE TABLE dependencies (upstream INTEGER NOT NULL, job INTEGER NOT NULL, PRIMARY KEY (upstream, job)) STRICT, WITHOUT ROWID;

-- `unit`, `epoch`, `n`: the newest attempt. `run`: of that attempt while open, the visible one once terminal.
CREATE TABLE tasks (
  job INTEGER NOT NULL,
  idx INTEGER NOT NULL,
  state INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  n INTEGER NOT NULL,
  failures INTEGER NOT NULL,
  losses INTEGER NOT NULL,
  unit INTEGER,
  ready_at INTEGER,
  started_at INTEGER,
  ended_at INTEGER,
  run TEXT,
  agent TEXT,
  reason TEXT,
  outputs INTEGER NOT NULL,
  verdict INTEGER,
  PRIMARY KEY (job, idx)
) STRICT, WITHOUT ROWID;

-- The tasks with a row in each state that few are in or that is looked for: `list` is the state's number, or 9 for those with outputs.
-- Not indexes on tasks: even partial ones, that do not hold the row, cost more than the row itself at each change of it.
-- `at`: the end of the backoff.
CREATE TABLE task_lists (job INTEGER NOT NULL, list INTEGER NOT NULL, idx INTEGER NOT NULL, at INTEGER, PRIMARY KEY (job, list, idx)) STRICT, WITHOUT ROWID;
CREATE INDEX task_lists_at ON task_lists(at) WHERE at IS NOT NULL;

-- Attempts that came to an end. The open one is in its task's row.
CREATE TABLE attempts (
  job INTEGER NOT NULL,
  idx INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  n INTEGER NOT NULL,
  unit TEXT NOT NULL,
  pool TEXT NOT NULL,
  agent TEXT,
  run TEXT,
  result TEXT NOT NULL,
  reason TEXT,
  dispatched_at INTEGER NOT NULL,
  started_at INTEGER,
  ended_at INTEGER NOT NULL,
  outcome TEXT,
  PRIMARY KEY (job, idx, epoch, n)
) STRICT, WITHOUT ROWID;

-- `tasks`: index, attempt, index, attempt, … `open`: tasks whose newest attempt is in this unit and not over.
-- `heard`: ever claimed or ever returned. `claims`: live ones.
CREATE TABLE units (
  uid INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  pool TEXT NOT NULL,
  job INTEGER NOT NULL,
  tasks TEXT NOT NULL,
  size INTEGER NOT NULL,
  open INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  not_after INTEGER NOT NULL,
  mark_first INTEGER NOT NULL,
  sent_at INTEGER,
  void INTEGER NOT NULL,
  heard INTEGER NOT NULL,
  claims INTEGER NOT NULL,
  returned INTEGER NOT NULL,
  free_boot INTEGER,
  free_tasks TEXT
) STRICT;
CREATE INDEX units_open ON units(job) WHERE open > 0;
CREATE INDEX units_unsent ON units(pool, uid) WHERE sent_at IS NULL AND void = 0 AND open > 0;
CREATE INDEX units_unheard ON units(pool, sent_at) WHERE sent_at IS NOT NULL AND heard = 0 AND void = 0 AND open > 0;
CREATE INDEX units_unclaimed ON units(pool, uid) WHERE heard = 1 AND claims = 0 AND void = 0 AND open > 0;

-- Outstanding work of a job in a pool.
CREATE TABLE loads (pool TEXT NOT NULL, job INTEGER NOT NULL, tasks INTEGER NOT NULL, units INTEGER NOT NULL, PRIMARY KEY (pool, job)) STRICT, WITHOUT ROWID;

-- The time at which the latest-sent unit that was ever heard of was sent.
CREATE TABLE pools (name TEXT PRIMARY KEY, heard_sent_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;

-- `ended`: null while live; `silent`, `replaced` by a newer boot, or `goodbye`. `beat`: place of the newest heartbeat in the boot's order of events.
-- `segments`: all up to this number are committed; `segments_beyond`: numbers above it that are, as a JSON array.
CREATE TABLE boots (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  agent TEXT NOT NULL,
  boot TEXT NOT NULL,
  pool TEXT NOT NULL,
  ended TEXT,
  draining INTEGER NOT NULL,
  drain_asked INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  beat INTEGER NOT NULL,
  heard_at INTEGER NOT NULL,
  running INTEGER NOT NULL,
  rejected INTEGER NOT NULL,
  hello TEXT,
  segments INTEGER NOT NULL,
  segments_beyond TEXT NOT NULL,
  UNIQUE (agent, boot)
) STRICT;
CREATE INDEX boots_live ON boots(pool, heard_at) WHERE ended IS NULL;

CREATE TABLE claims (unit INTEGER NOT NULL, boot INTEGER NOT NULL, live INTEGER NOT NULL, place INTEGER NOT NULL, PRIMARY KEY (unit, boot)) STRICT, WITHOUT ROWID;
CREATE INDEX claims_live ON claims(boot) WHERE live = 1;

-- `idx` -1: the whole unit.
CREATE TABLE revokes (pool TEXT NOT NULL, unit INTEGER NOT NULL, idx INTEGER NOT NULL, not_after INTEGER NOT NULL, PRIMARY KEY (pool, unit, idx)) STRICT, WITHOUT ROWID;

-- Terminal states on their way into verdict objects, in order. `idx` -1: the job's rest, `count` tasks.
CREATE TABLE outbox (seq INTEGER PRIMARY KEY, job INTEGER NOT NULL, idx INTEGER NOT NULL, state INTEGER NOT NULL, count INTEGER NOT NULL) STRICT;

CREATE TABLE events (job INTEGER NOT NULL, seq INTEGER NOT NULL, at INTEGER NOT NULL, type TEXT NOT NULL, task INTEGER, text TEXT NOT NULL, PRIMARY KEY (job, seq)) STRICT, WITHOUT ROWID;
