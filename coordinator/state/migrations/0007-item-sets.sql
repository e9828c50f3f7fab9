-- Items arrive before their job is there, and a retry has those of the job it repeats: they are in sets that jobs name.
-- `items`: how many. `bytes`: of their JSON, one line each.
CREATE TABLE item_sets (id INTEGER PRIMARY KEY AUTOINCREMENT, items INTEGER NOT NULL, bytes INTEGER NOT NULL) STRICT;
ALTER TABLE jobs ADD COLUMN item_set INTEGER;
CREATE INDEX jobs_by_item_set ON jobs(item_set) WHERE item_set IS NOT NULL;

-- So far a set was named by the number of its job. In a chunk each item has a line.
ALTER TABLE items RENAME COLUMN job TO item_set;
UPDATE jobs SET item_set = seq WHERE seq IN (SELECT item_set FROM items);
UPDATE items SET params = (SELECT '[' || group_concat(value, ',' || char(10)) || ']' FROM json_each(items.params));
INSERT INTO item_sets(id, items, bytes)
  SELECT item_set, sum(json_array_length(params)), sum(length(CAST(params AS BLOB))) FROM items GROUP BY item_set;
