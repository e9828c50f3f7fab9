-- What a person ordered for a pool: `paused`, `draining` or `evacuated`. No row: it takes work.
CREATE TABLE pool_modes (pool TEXT PRIMARY KEY, mode TEXT NOT NULL, since INTEGER NOT NULL) STRICT, WITHOUT ROWID;

-- The pool that a person moved the job to; null: wherever its placement allows.
ALTER TABLE jobs ADD COLUMN moved_to TEXT;

-- 1: what has not begun of the unit is asked back.
ALTER TABLE units ADD COLUMN recall INTEGER NOT NULL DEFAULT 0;
CREATE INDEX units_recalled ON units(pool, uid) WHERE recall = 1 AND void = 0 AND open > 0;
