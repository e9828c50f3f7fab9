import assert from 'node:assert/strict';
import { mkdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { Pool } from '../../../../coordinator/services/context.ts';
import { isDark, isOnTrial, poolHealth, Prober } from '../../../../coordinator/services/health.ts';
import { Sender } from '../../../../coordinator/services/sender.ts';
import { ClobiError, type ErrorCode } from '../../../../shared/errors.ts';
import { handsOn } from './hands.ts';
import { FakeAgent, makeRig, type Rig, specOf } from './rig.ts';

/** Makes the operation of the pool fail until its breaker is open. */
async function breakPool(pool: Pool, operation: string, code: ErrorCode = 'UNAVAILABLE'): Promise<void> {
  const down = (): Promise<never> => Promise.reject(new ClobiError(code, 'no cloud'));
  for (let call = 0; call < 5; call += 1) await pool.guard.call(operation, down).catch(() => undefined);
  assert.equal(isDark(pool), true);
}

const other = (rig: Rig): Pool => rig.context.pools[1]!;
const senderOf = (rig: Rig, pool: Pool): Sender => new Sender(rig.context, pool, handsOn(rig, pool).parts);

describe('a pool that cannot be opened at the start', () => {
  const queueFile = (home: string): string => join(home, 'queues', 'clobi-other-units.sqlite');

  test('is dark with the reason, keeps nobody from starting, and is opened later', async () => {
    await using rig = await makeRig({}, { clouds: ['other'], prepare: (home) => mkdirSync(queueFile(home)) });
    const pool = other(rig);
    assert.equal(isDark(rig.pool), false);
    const { dark, why } = poolHealth(pool);
    assert.ok(dark && /open: .*clobi-other-units/.test(why ?? ''), why ?? 'no reason');

    rmdirSync(queueFile(rig.context.config.home));
    const prober = new Prober(rig.context, pool);
    await prober.runOnce();
    assert.equal(isDark(pool), true, 'not before its time');
    pool.guard.retryNow();
    await prober.runOnce();
    assert.equal(isDark(pool), false);
    assert.equal(await pool.units.depth(), 0);
  });
});

describe('a dark pool', () => {
  test('gets nothing new; the other one gets all', async () => {
    await using rig = await makeRig({}, { clouds: ['other'] });
    const hands = handsOn(rig);
    await hands.say(new FakeAgent('a').hello());
    await hands.collector.apply([new FakeAgent('b', 'b-boot', 'other').hello()]);
    await breakPool(rig.pool, 'events.receive');
    const job = await hands.submit(specOf({ tasks: { kind: 'count', count: 4 } }));
    while (hands.dispatcher.runOnce());
    const { state } = rig.context;
    assert.equal(state.load('local', 0).outstandingTasks, 0);
    assert.equal(state.load('other', 0).outstandingTasks, 4);
    assert.equal(state.job(job)?.counts.dispatched, 4);
  });

  test('is not rescued: nothing is voided on a pool that cannot be read', async () => {
    await using rig = await makeRig({ dead: 100, heartbeat: 50 });
    const hands = handsOn(rig);
    const agent = new FakeAgent('a');
    await hands.say(agent.hello());
    await hands.submit(specOf());
    const [unit] = await hands.dispatch();
    await hands.say(agent.heartbeat([unit!.unit]));
    hands.listenFor(20_000);
    await breakPool(rig.pool, 'units.depth');
    await hands.rescuer.runOnce();
    assert.equal(rig.context.state.agents()[0]?.state, 'live');
    rig.pool.guard.retryNow();
    await new Prober(rig.context, rig.pool).runOnce();
    assert.equal(isDark(rig.pool), false);
    await hands.rescuer.runOnce();
    assert.equal(rig.context.state.agents()[0]?.state, 'silent', 'the same, once it can be read');
  });

  test('that may be sent to again gets one task, and no more before that one is sent', async () => {
    await using rig = await makeRig();
    const hands = handsOn(rig);
    await hands.say(new FakeAgent('a').hello(8));
    await breakPool(rig.pool, 'units.send');
    await hands.submit(specOf({ tasks: { kind: 'count', count: 20 } }));
    assert.equal(hands.dispatcher.runOnce(), false);
    rig.pool.guard.retryNow();
    await new Prober(rig.context, rig.pool).runOnce();
    assert.deepEqual([isDark(rig.pool), isOnTrial(rig.pool)], [false, true]);
    const { state } = rig.context;
    while (hands.dispatcher.runOnce());
    assert.equal(state.load('local', 0).outstandingTasks, 1);
    await hands.sender.runOnce();
    assert.equal(isOnTrial(rig.pool), false);
    while (hands.dispatcher.runOnce());
    assert.ok(state.load('local', 0).outstandingTasks > 1);
  });

  test('gives back at once what has never been sent, without a loss, also with retry.lost 0', async () => {
    await using rig = await makeRig();
    const hands = handsOn(rig);
    await hands.say(new FakeAgent('a').hello());
    const job = await hands.submit(
      specOf({ retry: { lost: 0, backoff: { initialMs: 10, factor: 2, maxMs: 100 } } }),
    );
    hands.dispatcher.runOnce();
    const down = (): Promise<never> => Promise.reject(new ClobiError('UNAVAILABLE', 'no cloud'));
    for (let call = 0; call < 5; call += 1)
      await rig.pool.guard.call('units.send', down).catch(() => undefined);
    await senderOf(rig, rig.pool).runOnce();
    const { state } = rig.context;
    assert.equal(state.unsentUnits('local', 10).length, 0, 'never sent, it has come back');
    const task = state.task(job, 0);
    assert.deepEqual([task?.state, task?.losses, task?.attempts?.[0]?.result], ['ready', 0, 'returned']);
    rig.pool.guard.retryNow();
    await new Prober(rig.context, rig.pool).runOnce();
    hands.dispatcher.runOnce();
    await senderOf(rig, rig.pool).runOnce();
    assert.equal(await rig.pool.units.depth(), 1);
  });
});
