import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Pool } from '../../../../coordinator/services/context.ts';
import { Darkness, giveUp } from '../../../../coordinator/services/darkness.ts';
import { isDark, Prober } from '../../../../coordinator/services/health.ts';
import { ClobiError, isCode } from '../../../../shared/errors.ts';
import type { UnitRow } from '../../../../coordinator/state/store.ts';
import type { JobId } from '../../../../shared/ids.ts';
import type { JobSpec } from '../../../../shared/job-spec.ts';
import type { UnitBody } from '../../../../shared/wire/unit.ts';
import { handsOn } from './hands.ts';
import { FakeAgent, makeRig, type Rig, specOf } from './rig.ts';

const HOLD_DOWN_MS = 60_000;
const retry = (lost: number) => ({ limit: 0, lost, backoff: { initialMs: 10, factor: 2, maxMs: 100 } });

async function darken(pool: Pool, operation = 'events.receive'): Promise<void> {
  const down = (): Promise<never> => Promise.reject(new ClobiError('UNAVAILABLE', 'no cloud'));
  for (let call = 0; call < 5; call += 1) await pool.guard.call(operation, down).catch(() => undefined);
  assert.equal(isDark(pool), true);
}

/** Pool `cloud` has all tasks of a job in an agent's hands; pool `local` has an agent with nothing to do. */
async function stage(rig: Rig, spec: JobSpec): Promise<Stage> {
  const cloud = rig.context.pools[1]!;
  const hands = handsOn(rig);
  const inCloud = handsOn(rig, cloud);
  const agent = new FakeAgent('c', 'c-boot', 'cloud');
  await inCloud.say(agent.hello(8));
  const job = await hands.submit(spec);
  const units = await inCloud.dispatch();
  assert.equal(rig.context.state.load('cloud', 0).outstandingTasks, spec.tasks.count);
  await inCloud.say(agent.heartbeat(units.map(({ unit }) => unit)));
  await hands.say(new FakeAgent('l').hello(8));
  return { cloud, hands, inCloud, agent, job, units, darkness: new Darkness(rig.context, cloud) };
}

interface Stage {
  cloud: Pool;
  hands: ReturnType<typeof handsOn>;
  inCloud: ReturnType<typeof handsOn>;
  agent: FakeAgent;
  job: JobId;
  units: UnitBody[];
  darkness: Darkness;
}

const TWO = { clouds: ['cloud'] };
const four = { kind: 'count' as const, count: 4 };

describe('R9: after the hold-down', () => {
  test('tasks with a loss left go to the other pool, and their units are revoked', async () => {
    await using rig = await makeRig({}, TWO);
    const { cloud, hands, job, units, darkness } = await stage(rig, specOf({ tasks: four, retry: retry(1) }));
    const { state } = rig.context;
    await darken(cloud);
    await darkness.runOnce();
    rig.clock.ms += HOLD_DOWN_MS - 1_000;
    await darkness.runOnce();
    assert.equal(state.job(job)?.counts.dispatched, 4, 'not before');

    rig.clock.ms += HOLD_DOWN_MS;
    await darkness.runOnce();
    assert.equal(state.job(job)?.counts.ready, 4);
    assert.deepEqual(
      state.tasks(job, { limit: 10 }).tasks.map(({ losses }) => losses),
      [1, 1, 1, 1],
    );
    assert.deepEqual(
      state
        .revokes('cloud', rig.clock.ms)
        .map(({ unit }) => unit)
        .sort(),
      units.map(({ unit }) => unit).sort(),
    );
    while (hands.dispatcher.runOnce());
    assert.equal(state.load('local', 0).outstandingTasks, 4);
  });

  test('tasks without a loss left wait until the pool is back', async () => {
    await using rig = await makeRig({}, TWO);
    const spec = specOf({ tasks: four, retry: retry(0) });
    const { cloud, inCloud, agent, job, units, darkness } = await stage(rig, spec);
    const { state } = rig.context;
    await darken(cloud);
    rig.clock.ms += 10 * HOLD_DOWN_MS;
    await darkness.runOnce();
    assert.equal(state.job(job)?.counts.dispatched, 4);
    assert.equal(state.revokes('cloud', rig.clock.ms).length, 0);
    cloud.guard.retryNow();
    const outcomes = units.flatMap((unit) => unit.tasks.map(({ index }) => agent.outcome(unit, index)));
    await inCloud.say(agent.batch({ type: 'outcome', segment: 's', outcomes }));
    assert.equal(isDark(cloud), false);
    while (await inCloud.exporter.runOnce());
    assert.equal(state.job(job)?.counts.succeeded, 4);
  });

  test('of one unit some tasks may go and others stay; those that go are revoked by their index', async () => {
    await using rig = await makeRig({}, TWO);
    const { state } = rig.context;
    const two = { kind: 'count' as const, count: 2 };
    const job = await handsOn(rig).submit(specOf({ tasks: two, retry: retry(1) }));
    const send = (sizes: number[]): UnitRow => {
      const [unit] = state.createUnits({
        job,
        pool: 'cloud',
        sizes,
        now: rig.clock.ms,
        notAfter: rig.clock.ms + 1e9,
      });
      state.markSent([unit!.unit], rig.clock.ms);
      return unit!;
    };
    state.voidUnits([{ unit: send([1]).unit, why: 'abandoned' }], rig.clock.ms);
    const both = send([2]);
    const applied = state.voidUnits([{ unit: both.unit, why: 'dark' }], rig.clock.ms);
    assert.equal(applied.losses, 1);
    assert.deepEqual(
      state.tasks(job, { limit: 2 }).tasks.map(({ state: now, losses }) => [now, losses]),
      [
        ['dispatched', 1],
        ['ready', 1],
      ],
    );
    assert.deepEqual(state.revokes('cloud', rig.clock.ms).at(-1)?.tasks, [1]);
    state.voidUnits([{ unit: both.unit, why: 'dark' }], rig.clock.ms);
    assert.equal(state.task(job, 1)?.losses, 1, 'a task that is gone is not counted again');
  });

  test('nothing is voided while no other pool could run it: that loss would bring nobody further', async () => {
    await using rig = await makeRig({}, TWO);
    const here = specOf({ tasks: four, retry: retry(1), placement: { require: { pools: ['cloud'] } } });
    const { cloud, job, darkness } = await stage(rig, here);
    await darken(cloud);
    rig.clock.ms += 10 * HOLD_DOWN_MS;
    await darkness.runOnce();
    assert.equal(rig.context.state.job(job)?.counts.dispatched, 4);
  });

  test('nothing is voided while the other pool is dark, too', async () => {
    await using rig = await makeRig({}, TWO);
    const { cloud, job, darkness } = await stage(rig, specOf({ tasks: four, retry: retry(1) }));
    await darken(cloud);
    await darken(rig.pool);
    rig.clock.ms += 10 * HOLD_DOWN_MS;
    await darkness.runOnce();
    assert.equal(rig.context.state.job(job)?.counts.dispatched, 4);
  });

  test('past notAfter tasks without a loss left end as lost', async () => {
    await using rig = await makeRig({ notAfter: '1h' }, TWO);
    const { cloud, job, darkness, hands } = await stage(rig, specOf({ tasks: four, retry: retry(0) }));
    await darken(cloud);
    rig.clock.ms += 3600_000 + 61_000;
    await darkness.runOnce();
    while (await hands.exporter.runOnce());
    assert.equal(rig.context.state.job(job)?.counts.lost, 4);
  });

  test('what the store tells counts before anything is voided', async () => {
    await using rig = await makeRig({}, TWO);
    const { cloud, agent, job, units, darkness, hands } = await stage(
      rig,
      specOf({ tasks: four, retry: retry(1) }),
    );
    const done = units.flatMap((unit) => unit.tasks.map(({ index }) => agent.outcome(unit, index)));
    const lines = done.slice(0, 3).map((outcome) => `${JSON.stringify(outcome)}\n`);
    await cloud.store.put(`segments/cloud/c/c-boot/0000000001.ndjson`, lines.join(''));
    await darken(cloud);
    rig.clock.ms += 2 * HOLD_DOWN_MS;
    await darkness.runOnce();
    while (await hands.exporter.runOnce());
    const { counts } = rig.context.state.job(job)!;
    assert.deepEqual([counts.succeeded, counts.ready], [3, 1]);
  });

  test('a late success from the dark pool counts while the task is open, its other run is superseded', async () => {
    await using rig = await makeRig({}, TWO);
    const { cloud, agent, job, units, darkness, hands, inCloud } = await stage(
      rig,
      specOf({ retry: retry(1) }),
    );
    await darken(cloud);
    rig.clock.ms += 2 * HOLD_DOWN_MS;
    await darkness.runOnce();
    const [again] = await hands.dispatch();
    assert.equal(again?.tasks[0]?.attempt, '1.2');
    cloud.guard.retryNow();
    await new Prober(rig.context, cloud).runOnce();
    await inCloud.say(
      agent.batch({ type: 'outcome', segment: 's', outcomes: [agent.outcome(units[0]!, 0)] }),
    );
    await hands.say(
      new FakeAgent('l', 'l-boot').batch({
        type: 'outcome',
        segment: 's',
        outcomes: [new FakeAgent('l', 'l-boot').outcome(again, 0)],
      }),
    );
    while (await hands.exporter.runOnce());
    const task = rig.context.state.task(job, 0);
    assert.deepEqual([task?.state, task?.run, task?.losses], ['succeeded', '1.1-abc', 1]);
  });
});

describe('giving a pool up', () => {
  test('is refused while the pool can be reached', async () => {
    await using rig = await makeRig({}, TWO);
    const { cloud, job } = await stage(rig, specOf({ tasks: four, retry: retry(0) }));
    await assert.rejects(giveUp(rig.context, cloud), (error) => isCode(error, 'CONFLICT'));
    assert.equal(rig.context.state.job(job)?.counts.dispatched, 4);
  });

  test('ends what waits for a dark one', async () => {
    await using rig = await makeRig({}, TWO);
    const { cloud, job, units, hands } = await stage(rig, specOf({ tasks: four, retry: retry(0) }));
    await darken(cloud);
    assert.equal(await giveUp(rig.context, cloud), units.length);
    while (await hands.exporter.runOnce());
    assert.equal(rig.context.state.job(job)?.counts.lost, 4);
    assert.equal(await giveUp(rig.context, cloud), 0);
  });
});
