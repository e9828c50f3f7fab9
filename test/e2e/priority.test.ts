import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { Cluster, QUICK } from '../helpers/cluster.ts';
import { waitFor } from '../helpers/wait.ts';

test('a high-priority job submitted behind 20,000 waiting tasks starts before them, within the lookahead', async () => {
  await using cluster = await Cluster.create({ ...QUICK, lookahead: 1_000 });
  await cluster.startCoordinator();
  cluster.startAgent('a');
  const order = join(cluster.home, 'order');
  const mark = (name: string, then: string): string[] => ['sh', '-c', `echo ${name} >> ${order}; ${then}`];
  const crowd = await cluster.submit({
    name: 'crowd',
    command: mark('crowd', 'sleep 0.02'),
    tasks: { kind: 'count', count: 20_000 },
  });
  await waitFor('the crowd is under way', async () => (await cluster.job(crowd)).counts.succeeded > 50);
  const urgent = await cluster.submit({
    name: 'urgent',
    command: mark('urgent', 'true'),
    priority: 100,
    tasks: { kind: 'count', count: 4 },
  });
  const { counts } = await cluster.job(crowd);
  await cluster.over(urgent);

  // What was out when it was submitted may go first, and nothing else: what is dispatched later comes behind it.
  const lines = (await readFile(order, 'utf8')).split('\n');
  const before = lines.indexOf('urgent');
  const mayGoFirst = counts.succeeded + counts.running + counts.dispatched;
  assert.ok(
    before <= mayGoFirst,
    `${String(before)} of the crowd had started, ${String(mayGoFirst)} were out`,
  );
  // Two slots, and each task of the crowd lasts 20 ms or longer: so many fill the lookahead at most.
  const out = counts.running + counts.dispatched;
  assert.ok(out <= 2 * (1_000 / 20) + 4, `${String(out)} were out with a lookahead of a second`);
  await cluster.call('POST', `/v1/jobs/${crowd}/cancel`, {});
});
