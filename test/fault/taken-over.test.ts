import assert from 'node:assert/strict';
import { cp, mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { Cluster, QUICK } from '../helpers/cluster.ts';
import { clobi } from '../helpers/process.ts';
import { waitFor } from '../helpers/wait.ts';

const TASKS = 6;

/** Another machine with the same store, queues and keys, and no database. */
async function secondMachine(first: Cluster, second: Cluster): Promise<void> {
  for (const name of ['store', 'queues']) await symlink(join(first.home, name), join(second.home, name));
  await mkdir(join(second.home, 'coordinator'));
  const files = await readdir(join(first.home, 'coordinator'));
  for (const file of files.filter((name) => /token|key/.test(name)))
    await cp(join(first.home, 'coordinator', file), join(second.home, 'coordinator', file));
}

test('jobs end while another coordinator has already read the store for its rebuild: it runs again what it believes open', async () => {
  await using first = await Cluster.create(QUICK);
  await using second = await Cluster.create(QUICK);
  const gate = join(first.home, 'gate');
  await first.startCoordinator();
  first.startAgent('a', { slots: TASKS });
  const jobs: string[] = [];
  for (let n = 0; n < TASKS; n += 1)
    jobs.push(await first.submit({ command: ['sh', '-c', `until [ -e '${gate}' ]; do sleep 0.05; done`] }));
  const each = <T>(ask: (job: string) => Promise<T>): Promise<T[]> => Promise.all(jobs.map(ask));
  await waitFor('all run', async () =>
    (await each((job) => first.job(job))).every(({ counts }) => counts.running === 1),
  );
  await secondMachine(first, second);
  const rebuilt = await clobi(['coordinator', 'rebuild', '--home', second.home]);
  assert.equal(rebuilt.code, 0, rebuilt.stderr);

  await writeFile(gate, '');
  await each((job) => first.over(job));
  await waitFor(
    'all are marked as over',
    async () =>
      (await readdir(join(first.home, 'store'), { recursive: true })).filter((key) =>
        key.endsWith('over.json'),
      ).length === TASKS,
  );
  await first.coordinator?.stop();
  await second.startCoordinator({}, ['--take-over']);
  const states = (await each((job) => second.over(job))).map(({ state }) => state);
  assert.deepEqual(new Set(states), new Set(['succeeded']));
});
