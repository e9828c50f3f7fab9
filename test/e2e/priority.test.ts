import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Cluster, QUICK } from '../helpers/cluster.ts';
import { waitFor } from '../helpers/wait.ts';

test('a high-priority job submitted behind 20,000 waiting tasks starts before them, within the lookahead', async () => {
  await using cluster = await Cluster.create({ ...QUICK, lookahead: 1_000 });
  await cluster.startCoordinator();
  cluster.startAgent('a');
  const crowd = await cluster.submit({
    name: 'crowd',
    command: ['sleep', '0.02'],
    tasks: { kind: 'count', count: 20_000 },
  });
  await waitFor('the crowd is under way', async () => (await cluster.job(crowd)).counts.succeeded > 50);
  const urgent = await cluster.submit({
    name: 'urgent',
    command: ['true'],
    priority: 100,
    tasks: { kind: 'count', count: 4 },
  });
  await cluster.over(urgent);
  const { counts } = await cluster.job(crowd);
  assert.ok(counts.ready > 15_000, `the crowd still waits: ${String(counts.ready)} of 20,000`);
  await cluster.call('POST', `/v1/jobs/${crowd}/cancel`, {});
});
