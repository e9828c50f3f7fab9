import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Cluster } from '../helpers/cluster.ts';
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
      60_000,
    );
    await cluster.coordinator?.kill();
    await cluster.startCoordinator();
  }
  const view = await cluster.over(job, 120_000);

  assert.equal(view.counts.succeeded, TASKS);
  await cluster.observe(job, false);
  // A unit may have been sent twice by a crash between send and mark: harmless, and allowed (R2).
  assert.deepEqual(await cluster.violations({ copiesAllowed: true }), []);
});
