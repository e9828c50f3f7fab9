import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { Cluster, QUICK } from '../helpers/cluster.ts';
import { waitFor } from '../helpers/wait.ts';

/** Reproducible pseudo-random numbers in [0, 1), so that a failing run can be had again. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32;
    return state / 2 ** 32;
  };
}

test('kill -9 of the coordinator ten times during 2,000 tasks: all end, none twice visible', async () => {
  const TASKS = 2_000;
  const next = random(20_261_123);
  await using cluster = await Cluster.create();
  await cluster.startCoordinator();
  cluster.startAgent('a');
  const job = await cluster.submit({
    command: ['sh', '-c', 'sleep 0.005'],
    tasks: { kind: 'count', count: TASKS },
  });

  for (let kill = 0; kill < 10; kill += 1) {
    const share = ((kill + next()) / 10) * TASKS * 0.9;
    await waitFor(
      `${String(Math.floor(share))} tasks are done`,
      async () => (await cluster.job(job)).counts.succeeded >= share,
      240_000,
    );
    // What was shown as final before the kill must be the same after it.
    await cluster.observe(job, false);
    await cluster.coordinator?.kill();
    await cluster.startCoordinator();
  }
  const view = await cluster.over(job);

  assert.equal(view.counts.succeeded, TASKS);
  await cluster.observe(job, false);
  // A unit may have been sent twice by a crash between send and mark: harmless, and allowed (R2).
  assert.deepEqual(await cluster.violations({ copiesAllowed: true }), []);
});

test('a coordinator stopped for longer than the dead time takes nothing back from agents that were well', async () => {
  const DEAD_MS = 2_000;
  await using cluster = await Cluster.create({ ...QUICK, dead: DEAD_MS });
  const gate = join(cluster.home, 'gate');
  const coordinator = await cluster.startCoordinator();
  cluster.startAgent('a');
  const job = await cluster.submit({
    command: ['sh', '-c', `while [ ! -e '${gate}' ]; do sleep 0.05; done`],
    tasks: { kind: 'count', count: 2 },
    retry: { lost: 0, backoff: { initialMs: 10, factor: 1, maxMs: 10 } },
  });
  await waitFor('2 tasks run', async () => (await cluster.job(job)).counts.running === 2);
  // Only one that has listened for the dead time may take anybody for dead.
  await waitFor('it has listened for long', after(2 * DEAD_MS));
  coordinator.signal('SIGSTOP');
  await waitFor('the dead time is over', after(3 * DEAD_MS));
  coordinator.signal('SIGCONT');
  await waitFor('it has judged again', after(2 * DEAD_MS));
  await writeFile(gate, '');

  assert.equal((await cluster.over(job)).counts.succeeded, 2);
  await cluster.observe(job);
  assert.deepEqual(await cluster.violations({ expectNoLosses: true }), []);
});

function after(ms: number): () => boolean {
  const end = Date.now() + ms;
  return () => Date.now() > end;
}
