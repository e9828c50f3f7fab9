import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { moveJob, orderPool, readModes, readMove } from '../../../../coordinator/services/orders.ts';
import { Recaller } from '../../../../coordinator/services/recaller.ts';
import { Sender } from '../../../../coordinator/services/sender.ts';
import { isCode } from '../../../../shared/errors.ts';
import { verifierOf } from '../../../../shared/wire/signature.ts';
import { handsOn, keys, never } from './hands.ts';
import { makeRig, specOf, takeUnits } from './rig.ts';

/** Everything is sent, and pool `local` has no agent. */
async function open() {
  const rig = await makeRig({ lookahead: 'off' }, { clouds: ['other'] });
  const hands = handsOn(rig);
  const { context, pool } = rig;
  const recaller = new Recaller(context, pool, {
    listening: hands.collector.listening,
    verify: verifierOf(keys.publicKey),
  });
  hands.listenFor(30_000);
  const other = context.pools[1]!;
  const otherSender = new Sender(context, other, handsOn(rig, other).parts);
  return {
    rig,
    context,
    pool,
    other,
    hands,
    recaller,
    otherSender,
    [Symbol.asyncDispose]: () => rig[Symbol.asyncDispose](),
  };
}

const three = specOf({ tasks: { kind: 'count', count: 3 }, placement: { require: { pools: ['local'] } } });

describe('the recaller', () => {
  test('brings back what waits in the queue of a pool without agents; the job then runs where it was moved to', async () => {
    await using at = await open();
    const { context, hands, recaller } = at;
    const job = await hands.submit(three);
    while (hands.dispatcher.runOnce());
    while (await hands.sender.runOnce());
    assert.equal(await at.pool.units.depth(), 3);
    const asked = await moveJob(context, { job, to: 'other', pending: false });
    assert.deepEqual(asked, { units: 3, tasks: 3 });
    assert.equal(at.pool.recall.active, true);
    while (await recaller.runOnce(never));
    assert.equal(at.pool.recall.active, false);
    assert.equal(await at.pool.units.depth(), 0);
    while (hands.dispatcher.runOnce());
    while (await at.otherSender.runOnce());
    assert.equal((await takeUnits(at.other)).flatMap(({ tasks }) => tasks).length, 3);
    assert.deepEqual(
      [0, 1, 2].map((index) => context.state.task(job, index)?.losses),
      [0, 0, 0],
    );
  });

  test('while it reads, the pool gets nothing; what others wait for in the queue comes back and goes out again', async () => {
    await using at = await open();
    const { context, hands, recaller } = at;
    const moved = await hands.submit(three);
    const stays = await hands.submit(three);
    while (hands.dispatcher.runOnce());
    while (await hands.sender.runOnce());
    await moveJob(context, { job: moved, to: 'other', pending: false });
    await recaller.runOnce(never);
    assert.equal(context.state.job(stays)?.counts.ready, 3);
    hands.dispatcher.runOnce();
    assert.equal(context.state.job(stays)?.counts.ready, 3, 'not yet: the queue may hold more');
    while (await recaller.runOnce(never));
    while (hands.dispatcher.runOnce());
    while (await hands.sender.runOnce());
    assert.deepEqual(
      (await takeUnits(at.pool)).map(({ job }) => job),
      [stays, stays, stays],
    );
  });

  test('does nothing while nothing is asked back, nor before all that agents said is known', async () => {
    await using at = await open();
    const { context, hands, recaller, rig } = at;
    await hands.submit(three);
    while (hands.dispatcher.runOnce());
    while (await hands.sender.runOnce());
    assert.equal(await recaller.runOnce(never), false);
    await orderPool(context, 'local', 'evacuated');
    hands.collector.listening.outage();
    assert.equal(await recaller.runOnce(never), false);
    assert.equal(await at.pool.units.depth(), 3);
    hands.listenFor(30_000);
    while (await recaller.runOnce(never));
    assert.equal(await at.pool.units.depth(), 0);
    rig.clock.ms += 1;
    assert.equal(await recaller.runOnce(never), false);
  });

  test('sets aside what we have not signed for this pool: nobody may end an attempt by it', async () => {
    await using at = await open();
    const { context, hands, recaller } = at;
    const job = await hands.submit(three);
    const [unit] = await hands.dispatch();
    await at.pool.units.send([`AAAA.${JSON.stringify(unit)}`, 'nonsense']);
    await orderPool(context, 'local', 'evacuated');
    while (await recaller.runOnce(never));
    assert.equal(context.state.job(job)?.counts.ready, 0);
    assert.equal(await at.pool.dead.depth(), 2);
  });
});

describe('the outbox', () => {
  test('gives back what is asked back and was not tried to be sent', async () => {
    await using at = await open();
    const { context, hands } = at;
    const job = await hands.submit(three);
    while (hands.dispatcher.runOnce());
    await orderPool(context, 'local', 'evacuated');
    assert.equal(await hands.sender.runOnce(), false);
    assert.equal(await at.pool.units.depth(), 0);
    assert.equal(context.state.job(job)?.counts.ready, 3);
  });

  test('sends what a former life may have sent: it then comes back by its queue', async () => {
    await using at = await open();
    const { context, hands } = at;
    await hands.submit(three);
    while (hands.dispatcher.runOnce());
    // The sender of the next life.
    const sender = new Sender(context, at.pool, hands.parts);
    context.state.setPoolMode('local', 'evacuated', context.clock.now());
    sender.start();
    await sender.stop();
    while (await sender.runOnce());
    assert.equal(context.state.waitingRecalls('local'), 3);
  });
});

describe('orders', () => {
  test('are in the store for a rebuild', async () => {
    await using at = await open();
    const { context, hands } = at;
    const job = await hands.submit(three);
    await orderPool(context, 'other', 'paused');
    await moveJob(context, { job, to: 'local', pending: true });
    assert.deepEqual(await readModes(context.store), [['other', 'paused']]);
    assert.equal(await readMove(context.store, job), 'local');
    await orderPool(context, 'other', 'open');
    assert.deepEqual(await readModes(context.store), []);
  });

  test('for what is not there, or cannot be, are refused, and change nothing', async () => {
    await using at = await open();
    const { context, hands } = at;
    const job = await hands.submit(specOf({ placement: { require: { archs: ['arm64'] } } }));
    await assert.rejects(orderPool(context, 'loacl', 'paused'), (error) => {
      assert.ok(isCode(error, 'NOT_FOUND'));
      assert.match(String(error), /did you mean "local"/);
      return true;
    });
    Object.assign(at.other, { config: { ...at.other.config, archs: ['x64'] } });
    await assert.rejects(moveJob(context, { job, to: 'other', pending: false }), (error) => {
      assert.ok(isCode(error, 'CONFLICT'));
      assert.match(String(error), /cannot run in pool other: it requires archs arm64/);
      return true;
    });
    assert.equal(context.state.job(job)?.movedTo, null);
  });
});
