import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { costOf, priceOf } from '../../../../coordinator/prices.ts';
import { Ledger } from '../../../../coordinator/services/ledger.ts';
import { PRIMARY_STORE } from '../../../../coordinator/state/requests.ts';
import type { JobId } from '../../../../shared/ids.ts';
import type { RequestCounts } from '../../../../shared/providers/meter.ts';
import { eventBatchSchema, type EventBatch } from '../../../../shared/wire/event.ts';
import { handsOn } from './hands.ts';
import { FakeAgent, makeRig, type Rig, specOf } from './rig.ts';

const ask = (meter: RequestCounts, operation: string, times: number): void => {
  for (let time = 0; time < times; time += 1) meter.count(operation);
};

/** An agent that has run all tasks of a job in one pool; nothing is shared yet. */
async function run(rig: Rig, agent: FakeAgent, count: number): Promise<JobId> {
  const hands = handsOn(rig);
  const job = await hands.submit(specOf({ tasks: { kind: 'count', count } }));
  for (let units = await hands.dispatch(); units.length > 0; units = await hands.dispatch()) {
    const outcomes = units.flatMap((unit) => unit.tasks.map(({ index }) => agent.outcome(unit, index)));
    await hands.say(agent.batch({ type: 'outcome', segment: 's', outcomes }));
  }
  return job;
}

const beat = (agent: FakeAgent, requests: Record<string, number>): EventBatch =>
  agent.batch({ type: 'heartbeat', claims: [], running: 0, freeSlots: 1, requests });

describe('the ledger', () => {
  test('shares what was asked since among the tasks that ended since', async () => {
    await using rig = await makeRig();
    const { state } = rig.context;
    const ledger = new Ledger(rig.context);
    const agent = new FakeAgent('a');
    await handsOn(rig).say(agent.hello(8));
    ask(rig.pool.meter, 'sqs:SendMessageBatch', 8);
    ask(rig.context.storeMeter, 's3:PutObject', 4);
    const three = await run(rig, agent, 3);
    const one = await run(rig, agent, 1);
    ledger.runOnce();
    assert.deepEqual(state.job(three)?.requests.operations, { 'sqs:SendMessageBatch': 6, 's3:PutObject': 3 });
    assert.deepEqual(state.job(one)?.requests.operations, { 'sqs:SendMessageBatch': 2, 's3:PutObject': 1 });
    const { count, usd } = state.job(three)!.requests;
    assert.equal(count, 9);
    assert.ok(Math.abs(usd - (6 * 0.4e-6 + 3 * 0.005e-3)) < 1e-12);

    ledger.runOnce();
    ask(rig.pool.meter, 'sqs:DeleteMessage', 4);
    ledger.runOnce();
    assert.equal(
      state.job(three)?.requests.operations['sqs:DeleteMessage'],
      3,
      'the last deletes are theirs, too',
    );
    assert.equal(state.job(one)?.requests.operations['sqs:DeleteMessage'], 1);

    rig.clock.ms += 60_000;
    ask(rig.pool.meter, 'sqs:ReceiveMessage', 500);
    ledger.runOnce();
    const next = await run(rig, agent, 1);
    ask(rig.pool.meter, 'sqs:SendMessageBatch', 5);
    ledger.runOnce();
    assert.deepEqual(
      state.job(next)?.requests.operations,
      { 'sqs:SendMessageBatch': 5 },
      'what is asked while there is nothing to do is nobody’s',
    );
  });

  test('what is asked while work is out and none of it ends waits for the next to end', async () => {
    await using rig = await makeRig();
    const ledger = new Ledger(rig.context);
    const agent = new FakeAgent('a');
    const hands = handsOn(rig);
    await hands.say(agent.hello(8));
    const job = await hands.submit(specOf());
    const [unit] = await hands.dispatch();
    rig.clock.ms += 60_000;
    ask(rig.pool.meter, 'sqs:ReceiveMessage', 7);
    ledger.runOnce();
    await hands.say(agent.batch({ type: 'outcome', segment: 's', outcomes: [agent.outcome(unit!, 0)] }));
    ledger.runOnce();
    assert.equal(rig.context.state.job(job)?.requests.operations['sqs:ReceiveMessage'], 7);
  });

  test('books what agents say once, however often and late it is heard, and anew for a new boot', async () => {
    await using rig = await makeRig();
    const { state } = rig.context;
    const hands = handsOn(rig);
    const agent = new FakeAgent('a');
    await hands.say(agent.hello());
    const first = beat(agent, { 'sqs:ReceiveMessage': 5 });
    await hands.say(first);
    await hands.say(beat(agent, { 'sqs:ReceiveMessage': 7, 'sqs:DeleteMessage': 1 }));
    await hands.say(first);
    assert.deepEqual(state.requests(), [
      { pool: 'local', operation: 'sqs:DeleteMessage', total: 1 },
      { pool: 'local', operation: 'sqs:ReceiveMessage', total: 7 },
    ]);
    await hands.say(beat(new FakeAgent('a', 'b-later-boot'), { 'sqs:ReceiveMessage': 2 }));
    assert.equal(state.requests()[1]?.total, 9);
  });

  test('keeps its sums from agents that say nonsense, and hears what they say beside it', async () => {
    await using rig = await makeRig();
    const { state } = rig.context;
    const ledger = new Ledger(rig.context);
    const hands = handsOn(rig);
    for (const name of ['a', 'b']) {
      const agent = new FakeAgent(name);
      await hands.say(agent.hello());
      await hands.say(beat(agent, { constructor: 5, 's3:PutObject': 1 }));
      await hands.say(beat(agent, { 's3:GetObject': Number.MAX_SAFE_INTEGER, 's3:PutObject': 2 }));
      await hands.say(beat(agent, { 'no"label\n{}': 1, '': 1, 'sqs:': 1, 's3:PutObject': 3 }));
      const many = Array.from({ length: 2_000 }, (_, n) => [`s3:Put${String(n)}`, 1] as const);
      await hands.say(beat(agent, { ...Object.fromEntries(many), 's3:PutObject': 4 }));
    }
    const [unit] = await hands.submit(specOf()).then(() => hands.dispatch());
    await hands.say(
      new FakeAgent('c').batch({
        type: 'outcome',
        segment: 's',
        outcomes: [new FakeAgent('c').outcome(unit!, 0)],
      }),
    );
    ledger.runOnce();
    const rows = state.requests();
    assert.ok(rows.length <= 128, String(rows.length));
    assert.deepEqual(
      rows.filter(({ operation }) => /^s3:(Put|Get)Object$|^[^s]/.test(operation)),
      [{ pool: 'local', operation: 's3:PutObject', total: 8 }],
    );
  });

  test('a heartbeat whose requests are nonsense still claims', () => {
    for (const requests of [{ 's3:PutObject': -1 }, { 's3:PutObject': 0.5 }, [], 'many', { x: 2 ** 60 }]) {
      const batch = beat(new FakeAgent('a'), requests as never);
      const { events } = eventBatchSchema.parse(batch);
      assert.deepEqual(events, [
        { type: 'heartbeat', claims: [], running: 0, freeSlots: 1, requests: undefined },
      ]);
    }
  });

  test('goes on after a restart where it was', async () => {
    await using rig = await makeRig();
    ask(rig.pool.meter, 'sqs:SendMessageBatch', 3);
    await new Ledger(rig.context).stop();
    ask(rig.context.storeMeter, 's3:GetObject', 2);
    assert.deepEqual(rig.context.state.requests(), [
      { pool: 'local', operation: 'sqs:SendMessageBatch', total: 3 },
    ]);
    new Ledger({ ...rig.context, pools: [] }).runOnce();
    assert.deepEqual(
      rig.context.state.requests().map(({ pool, total }) => [pool, total]),
      [
        [PRIMARY_STORE, 2],
        ['local', 3],
      ],
    );
  });
});

test('prices tell reading from writing, and local work costs nothing', () => {
  assert.ok(priceOf('s3:PutObject') > priceOf('s3:GetObject'));
  assert.ok(priceOf('azblob:PutBlob') > priceOf('azblob:GetBlob'));
  assert.equal(priceOf('s3:DeleteObjects'), 0);
  assert.equal(priceOf('local:anything'), 0);
  assert.deepEqual(costOf({}), { count: 0, usd: 0 });
  const { count, usd } = costOf({ 'sqs:SendMessage': 1_000_000 });
  assert.deepEqual([count, Math.round(usd * 1e6) / 1e6], [1_000_000, 0.4]);
});
