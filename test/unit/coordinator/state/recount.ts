import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { TASK_STATES } from '../../../../shared/task-state.ts';
import type { Rig } from './rig.ts';

type Row = Record<string, number>;

/** Every counter that is kept must equal a count of the rows that it stands for. */
export function assertCounters(rig: Rig): void {
  const db = new DatabaseSync(join(rig.folder, 'state.sqlite'), { readOnly: true });
  try {
    const rows = (sql: string): Row[] =>
      db
        .prepare(sql)
        .all()
        .map((row) => ({ ...row }) as Row);
    assertJobs(rows);
    const wrongUnits = rows(`SELECT uid, open, claims,
        (SELECT count(*) FROM tasks t WHERE t.unit = u.uid AND t.state IN (2, 3)) AS inIt,
        (SELECT count(*) FROM claims c WHERE c.unit = u.uid AND c.live = 1) AS live FROM units u
      WHERE open <> inIt OR claims <> live OR (void = 1 AND open > 0)`);
    assert.deepEqual(wrongUnits, [], 'units: open tasks and live claims');
    assert.deepEqual(
      rows('SELECT pool, job, tasks, units FROM loads ORDER BY pool, job'),
      rows(
        'SELECT pool, job, sum(open) AS tasks, count(*) AS units FROM units WHERE open > 0 GROUP BY pool, job ORDER BY pool, job',
      ),
      'loads',
    );
    assert.deepEqual(
      rows('SELECT job, list, idx, at FROM task_lists ORDER BY job, list, idx'),
      rows(`SELECT job, state AS list, idx, CASE state WHEN 4 THEN ready_at END AS at FROM tasks WHERE state NOT IN (2, 3, 5)
        UNION ALL SELECT job, 9, idx, NULL FROM tasks WHERE outputs > 0 ORDER BY 1, 2, 3`),
      'lists of tasks',
    );
    assert.deepEqual(
      rows(
        'SELECT c.unit FROM claims c JOIN boots b ON b.id = c.boot WHERE c.live = 1 AND b.ended IS NOT NULL',
      ),
      [],
      'a boot that is over claims nothing',
    );
    const wrongEnds = rows(`SELECT job, idx, failures, losses,
        (SELECT count(*) FROM attempts a WHERE a.job = t.job AND a.idx = t.idx AND a.result = 'failed') AS failed,
        (SELECT count(*) FROM attempts a WHERE a.job = t.job AND a.idx = t.idx AND a.result = 'lost') AS lost FROM tasks t
      WHERE failures <> failed OR losses <> lost`);
    assert.deepEqual(wrongEnds, [], 'I5: each attempt is counted once, as one or the other');
  } finally {
    db.close();
  }
}

function assertJobs(rows: (sql: string) => Row[]): void {
  for (const job of rows('SELECT * FROM jobs')) {
    const seq = String(job['seq']);
    const counts = Object.fromEntries(TASK_STATES.map((state) => [state, 0]));
    for (const { state, n } of rows(
      `SELECT state, count(*) AS n FROM tasks WHERE job = ${seq} GROUP BY state`,
    ))
      counts[TASK_STATES[state!]!]! += n!;
    const withRow = Object.values(counts).reduce((sum, n) => sum + n, 0);
    assert.equal(withRow + job['rest_count']!, job['size'], 'every task has a row or is of the rest');
    counts[TASK_STATES[job['rest_state']!]!]! += job['rest_count']!;
    assert.deepEqual(
      Object.fromEntries(TASK_STATES.map((state) => [state, job[state]])),
      counts,
      'job: tasks by state',
    );
    for (const state of ['succeeded', 'failed', 'cancelled', 'lost'] as const) {
      const [pending] = rows(
        `SELECT coalesce(sum(count), 0) AS n FROM outbox WHERE job = ${seq} AND state = ${String(TASK_STATES.indexOf(state))}`,
      );
      assert.equal(job[`pending_${state}`], pending?.['n'], `job: ${state}, not exported`);
    }
    const [first] = rows(
      `SELECT count(*) AS n FROM tasks WHERE job = ${seq} AND idx < ${String(job['rest_from'])}`,
    );
    if (job['rest_count']! > 0) assert.equal(first?.['n'], job['rest_from'], 'all below the rest have a row');
  }
}
