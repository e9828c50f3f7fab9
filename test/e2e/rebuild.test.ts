import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { Cluster } from '../helpers/cluster.ts';
import { clobi } from '../helpers/process.ts';
import { waitFor } from '../helpers/wait.ts';

test('the database is deleted with tasks done, running and waiting: rebuild brings back the finished and finishes the rest', async () => {
  await using cluster = await Cluster.create();
  const WAITING = 400;
  const gate = join(cluster.home, 'gate');
  await cluster.startCoordinator();
  cluster.startAgent('a');
  const finished = await cluster.submit({
    command: ['sh', '-c', 'echo $CLOBI_TASK_INDEX > outputs/i'],
    tasks: { kind: 'count', count: 20 },
    outputs: [{ glob: 'outputs/i', required: true }],
  });
  await cluster.over(finished);
  const before = await cluster.observe(finished);
  const half = await cluster.submit({
    command: [
      'sh',
      '-c',
      `if [ $CLOBI_TASK_INDEX -ge 10 ]; then while [ ! -e '${gate}' ]; do sleep 0.05; done; fi`,
    ],
    tasks: { kind: 'count', count: WAITING },
  });
  // More than the lookahead holds: some are dispatched, and most have never been.
  await waitFor('10 tasks are done, 2 run and most wait', async () => {
    const { counts } = await cluster.job(half);
    return counts.succeeded === 10 && counts.running === 2 && counts.ready > WAITING / 2;
  });
  await cluster.observe(half);

  await cluster.coordinator?.kill();
  const state = join(cluster.home, 'coordinator');
  await Promise.all(
    ['state.sqlite', 'state.sqlite-wal', 'state.sqlite-shm'].map((file) =>
      rm(join(state, file), { force: true }),
    ),
  );
  const rebuilt = await clobi(['coordinator', 'rebuild', '--home', cluster.home]);
  assert.equal(rebuilt.code, 0, rebuilt.stderr);
  await writeFile(gate, '');
  await cluster.startCoordinator();

  assert.equal((await cluster.over(half)).counts.succeeded, WAITING);
  assert.equal((await cluster.over(finished)).counts.succeeded, 20);
  const after = await cluster.observe(finished);
  assert.deepEqual(
    after.map(({ index, run }) => ({ index, run })),
    before.map(({ index, run }) => ({ index, run })),
    'the visible runs are the same',
  );
  await cluster.observe(half);
  // The tasks that ran during the loss of the database are dispatched again: a second run of another attempt.
  assert.deepEqual(await cluster.violations({ copiesAllowed: true }), []);
});
