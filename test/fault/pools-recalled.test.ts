import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { JobEvent, PoolView } from '../../coordinator/http/api.ts';
import { Cluster, QUICK } from '../helpers/cluster.ts';
import { clobi, diesAt } from '../helpers/process.ts';
import { waitFor } from '../helpers/wait.ts';

/** Two local pools: `empty` has no agent, `busy` has one; everything is pushed at once. */
const settings = { ...QUICK, lookahead: 'off' as const, pools: { empty: null, busy: null } };

const poolOf = async (cluster: Cluster, name: string): Promise<PoolView> => {
  const { pools } = await cluster.get<{ pools: PoolView[] }>('/v1/pools');
  const pool = pools.find((one) => one.pool === name);
  assert.ok(pool);
  return pool;
};

/** Tasks that write their index to a file as they begin, all waiting in the queue of pool `empty`. */
async function fillEmpty(cluster: Cluster, count: number, placement: object): Promise<string> {
  const job = await cluster.submit({
    command: ['sh', '-c', 'echo "$CLOBI_TASK_INDEX" >> "$BEGUN"'],
    env: { BEGUN: join(cluster.home, 'begun') },
    tasks: { kind: 'count', count },
    retry: { limit: 0, lost: 1, backoff: { initialMs: 50, factor: 2, maxMs: 500 } },
    placement,
  });
  await waitFor('all wait in the queue', async () => (await poolOf(cluster, 'empty')).queueDepth === count);
  return job;
}

/** Every task ran to its end in `busy`, began once in its life, and nothing was counted as lost. */
async function allRanOnce(cluster: Cluster, job: string, count: number): Promise<void> {
  const view = await cluster.over(job);
  assert.equal(view.counts.succeeded, count);
  const begun = (await readFile(join(cluster.home, 'begun'), 'utf8')).trim().split('\n');
  assert.equal(begun.length, count, 'none began twice');
  assert.equal(new Set(begun).size, count);
  const tasks = await cluster.observe(job);
  assert.ok(tasks.every(({ losses, failures }) => losses === 0 && failures === 0));
  assert.ok(tasks.every(({ pool }) => pool === 'busy'));
  assert.deepEqual(await cluster.violations(), []);
}

const order = (cluster: Cluster, ...args: string[]) => clobi([...args, '--home', cluster.home]);

describe('work that waits in a pool without agents', () => {
  test('moves at once: 200 tasks of a job, to the pool that it is moved to', async () => {
    await using cluster = await Cluster.create(settings);
    await cluster.startCoordinator();
    cluster.startAgent('a', { pool: 'busy', slots: 2 });
    const job = await fillEmpty(cluster, 200, { require: { pools: ['empty'] } });
    const { code, stderr } = await order(cluster, 'job', 'move', job, '--to', 'busy');
    assert.equal(code, 0, stderr);
    assert.match(
      stderr,
      /goes to busy and no other pool; 200 tasks in 200 units that wait elsewhere are asked back/,
    );
    await allRanOnce(cluster, job, 200);
    const { queueDepth, comingBack } = await poolOf(cluster, 'empty');
    assert.deepEqual([queueDepth, comingBack], [0, 0]);
    // After the submission and 200 units that went to the wrong pool.
    const { events } = await cluster.get<{ events: JobEvent[] }>(`/v1/jobs/${job}/events?after=201`);
    assert.match(events[0]?.text ?? '', /goes to pool busy and no other/);
    assert.match(events[1]?.text ?? '', /came back from pool empty before it was begun/);
  });

  test('comes back at once when the pool is evacuated, and nothing goes there until it is resumed', async () => {
    await using cluster = await Cluster.create(settings);
    await cluster.startCoordinator();
    cluster.startAgent('a', { pool: 'busy', slots: 2 });
    const job = await fillEmpty(cluster, 200, { prefer: { pools: ['empty'] } });
    const { code, stderr } = await order(cluster, 'pool', 'evacuate', 'empty');
    assert.equal(code, 0, stderr);
    assert.match(stderr, /200 tasks in 200 units are asked back/);
    await allRanOnce(cluster, job, 200);
    assert.equal((await poolOf(cluster, 'empty')).mode, 'evacuated');

    const barred = await cluster.submit({ command: ['true'], placement: { require: { pools: ['empty'] } } });
    const explained = await order(cluster, 'job', 'explain', barred);
    assert.match(explained.stdout, /No pool that suits takes work: empty is evacuated since/);
    await order(cluster, 'pool', 'resume', 'empty');
    await waitFor('it goes there', async () => (await poolOf(cluster, 'empty')).queueDepth === 1);
  });
});

describe('the coordinator is killed in the middle of', () => {
  const COUNT = 60;
  const places: [string, string[]][] = [
    ['move.after-object', ['job', 'move', 'last', '--to', 'busy']],
    ['move.after-row', ['job', 'move', 'last', '--to', 'busy']],
    ['order.after-row', ['pool', 'evacuate', 'empty']],
    ['recall.after-receive', ['job', 'move', 'last', '--to', 'busy']],
    ['recall.after-row', ['pool', 'evacuate', 'empty']],
    ['recall.after-delete', ['job', 'move', 'last', '--to', 'busy']],
  ];
  for (const [point, args] of places) {
    test(`${args.slice(0, 2).join(' ')}, at ${point}: nothing is lost, nothing begins twice`, async () => {
      await using cluster = await Cluster.create(settings);
      const doomed = await cluster.startCoordinator({ CLOBI_FAULT: point });
      cluster.startAgent('a', { pool: 'busy', slots: 2 });
      const job = await fillEmpty(cluster, COUNT, { prefer: { pools: ['empty'] } });
      const first = order(cluster, ...args);
      await diesAt(doomed, point);
      await cluster.startCoordinator();
      // A person who got no answer says it again; the first command may be doing so itself.
      await first;
      assert.equal((await order(cluster, ...args)).code, 0);
      await allRanOnce(cluster, job, COUNT);
    });
  }
});

test('agents hand back what they have not begun; what runs goes on, and the pool drains', async () => {
  await using cluster = await Cluster.create(settings);
  await cluster.startCoordinator();
  const leaving = cluster.startAgent('leaving', { pool: 'empty', slots: 1 });
  const job = await cluster.submit({
    command: ['sh', '-c', 'echo x >> "$BEGUN"; until [ -e "$GO" ]; do sleep 0.1; done'],
    env: { BEGUN: join(cluster.home, 'begun'), GO: join(cluster.home, 'go') },
    tasks: { kind: 'count', count: 20 },
    placement: { prefer: { pools: ['empty'] } },
  });
  await waitFor('one runs', async () => (await cluster.job(job)).counts.running === 1);
  await order(cluster, 'pool', 'evacuate', 'empty');
  await waitFor('the others came back', async () => (await poolOf(cluster, 'empty')).outstandingTasks === 1);
  assert.equal((await cluster.job(job)).counts.running, 1);
  await order(cluster, 'pool', 'drain', 'empty');
  cluster.startAgent('b', { pool: 'busy', slots: 2 });
  await writeFile(join(cluster.home, 'go'), '');
  await leaving.exited;
  const view = await cluster.over(job);
  assert.equal(view.counts.succeeded, 20);
  assert.equal((await readFile(join(cluster.home, 'begun'), 'utf8')).length, 40, 'each began once');
  const tasks = await cluster.observe(job);
  assert.ok(tasks.every(({ losses }) => losses === 0));
  assert.deepEqual(tasks.map(({ pool }) => pool).filter((pool) => pool === 'empty').length, 1);
});
