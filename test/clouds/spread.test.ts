import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { clobi } from '../helpers/process.ts';
import { temporaryDirectory } from '../helpers/temporary.ts';
import { ThreeClouds } from '../helpers/three-clouds.ts';

const TASKS = 3_000;

test('3,000 tasks over local, AWS and Azure: all end, every result is fetched and verified, all three took part', async () => {
  await using clouds = await ThreeClouds.create();
  await using results = await temporaryDirectory();
  const { cluster } = clouds;
  await clouds.start({ slots: 4 });
  const job = await cluster.submit({
    command: ['sh', '-c', 'echo "task $CLOBI_TASK_INDEX" > out.txt'],
    outputs: [{ glob: 'out.txt', required: true }],
    tasks: { kind: 'count', count: TASKS },
  });
  const view = await cluster.over(job, 600_000);
  assert.equal(view.counts.succeeded, TASKS);

  const tasks = await cluster.observe(job, false);
  const byPool = Map.groupBy(tasks, ({ pool }) => pool);
  for (const pool of ['local', 'aws', 'azure']) {
    const ran = byPool.get(pool)?.length ?? 0;
    assert.ok(ran >= TASKS / 100, `${pool} ran ${String(ran)} tasks`);
  }
  const args = ['job', 'outputs', job, '--to', results.path, '--home', cluster.home];
  const { code, stderr } = await clobi(args, { env: cluster.env });
  assert.equal(code, 0, stderr);
  for (const { index } of tasks)
    assert.equal(
      await readFile(join(results.path, String(index), 'out.txt'), 'utf8'),
      `task ${String(index)}\n`,
    );
  assert.deepEqual(await cluster.violations({ expectNoLosses: true }, clouds.storeUrls()), []);
});
