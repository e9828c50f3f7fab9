import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readText } from '../../../../coordinator/services/read-segments.ts';
import { segmentKey, verdictKey } from '../../../../shared/wire/keys.ts';
import { FakeAgent, makeRig, type Rig, specOf } from './rig.ts';

import { handsOn, never } from './hands.ts';
describe('collect', () => {
  test('an outcome by event ends its task, shown once the verdict is written', async () => {
    await using rig = await makeRig();
    const hands = handsOn(rig);
    const agent = new FakeAgent('a');
    await hands.say(agent.hello());
    const job = await hands.submit(specOf());
    const [unit] = await hands.dispatch();
    await hands.say(
      agent.batch({
        type: 'outcome',
        segment: segmentKey('local', agent.agent, agent.boot, 1),
        outcomes: [agent.outcome(unit!, 0)],
      }),
    );
    assert.equal(rig.context.state.job(job)?.state, 'running');
    while (await hands.exporter.runOnce());
    assert.equal(rig.context.state.job(job)?.state, 'succeeded');
    assert.match(await readText(rig.context.store, verdictKey(1, 1)), /"state":"succeeded"/);
    assert.equal((await rig.pool.events.receive({ max: 1, waitMs: 0, leaseMs: 1000 })).length, 0);
  });

  test('an outcome by segment reference is read before the message goes', async () => {
    await using rig = await makeRig();
    const hands = handsOn(rig);
    const agent = new FakeAgent('a');
    await hands.say(agent.hello());
    const job = await hands.submit(specOf());
    const [unit] = await hands.dispatch();
    const segment = segmentKey('local', agent.agent, agent.boot, 1);
    await rig.context.store.put(segment, `${JSON.stringify(agent.outcome(unit!, 0))}\nno outcome\n`);
    await hands.say(agent.batch({ type: 'outcome', segment, outcomes: null }));
    while (await hands.exporter.runOnce());
    assert.equal(rig.context.state.job(job)?.state, 'succeeded');
  });

  test('a poisonous message goes to the dead queue and holds nobody up', async () => {
    await using rig = await makeRig();
    const hands = handsOn(rig);
    await rig.pool.events.send(['{"v":', JSON.stringify(new FakeAgent('a').hello())]);
    await hands.collector.runOnce(never);
    assert.equal(rig.context.state.agents().length, 1);
    assert.deepEqual(
      (await rig.pool.dead.receive({ max: 10, waitMs: 0, leaseMs: 1000 })).map(({ body }) => body),
      ['{"v":'],
    );
    assert.equal((await rig.pool.events.receive({ max: 10, waitMs: 0, leaseMs: 1000 })).length, 0);
  });
});

describe('rescue', () => {
  async function claimedUnit(rig: Rig) {
    const hands = handsOn(rig);
    const agent = new FakeAgent('a');
    await hands.say(agent.hello());
    const job = await hands.submit(specOf());
    const [unit] = await hands.dispatch();
    await hands.say(agent.heartbeat([unit!.unit]));
    return { hands, agent, job, unit: unit! };
  }

  test('silence does not count before the queue has been read empty, and then only from there', async () => {
    await using rig = await makeRig({ heartbeat: 100, dead: 1000 });
    const { hands, job } = await claimedUnit(rig);
    rig.clock.ms += 5000;
    await hands.rescuer.runOnce();
    assert.equal(rig.context.state.task(job, 0)?.losses, 0);
    await hands.collector.runOnce(never);
    await hands.rescuer.runOnce();
    assert.equal(rig.context.state.task(job, 0)?.losses, 0);
    hands.listenFor(1000);
    await hands.rescuer.runOnce();
    assert.equal(rig.context.state.task(job, 0)?.losses, 1);
  });

  test('a coordinator that was stopped, or whose clock jumped, takes nobody for silent before it has listened again', async () => {
    await using rig = await makeRig({ heartbeat: 100, dead: 1000 });
    const { hands, agent, job, unit } = await claimedUnit(rig);
    await hands.collector.runOnce(never);
    hands.listenFor(500);
    const losses = async (): Promise<number | undefined> => {
      await hands.rescuer.runOnce();
      return rig.context.state.task(job, 0)?.losses;
    };
    rig.clock.ms += 3_600_000;
    assert.equal(await losses(), 0, 'the rescuer wakes first, and heartbeats wait in the queue');
    await hands.say(agent.heartbeat([unit.unit]));
    assert.equal(await losses(), 0);
    hands.listenFor(900);
    assert.equal(await losses(), 0);

    rig.clock.ms -= 3_600_000;
    assert.equal(await losses(), 0);
    hands.listenFor(900);
    assert.equal(await losses(), 0);
    hands.listenFor(1000);
    assert.equal(await losses(), 0);
    hands.listenFor(1500);
    assert.equal(
      await losses(),
      1,
      'an agent that died before the clock was set back is found silent all the same',
    );
  });

  test('what a silent agent had written is committed in place of the loss', async () => {
    await using rig = await makeRig({ heartbeat: 100, dead: 1000 });
    const { hands, agent, job, unit } = await claimedUnit(rig);
    await rig.context.store.put(
      segmentKey('local', agent.agent, agent.boot, 1),
      `${JSON.stringify(agent.outcome(unit, 0))}\n`,
    );
    await hands.collector.runOnce(never);
    hands.listenFor(2000);
    await hands.rescuer.runOnce();
    while (await hands.exporter.runOnce());
    const task = rig.context.state.task(job, 0);
    assert.deepEqual([task?.state, task?.losses], ['succeeded', 0]);
  });

  test('a unit handed back is voided without a loss, but not before all that a former life had received is back', async () => {
    await using rig = await makeRig();
    const { hands, agent, job, unit } = await claimedUnit(rig);
    const returned = {
      type: 'returned' as const,
      unit: unit.unit,
      receiveCount: 1,
      why: 'draining' as const,
      notBegun: [0],
    };
    await hands.say(agent.batch(returned, agent.heartbeatEvent([])));
    await hands.collector.runOnce(never);
    await hands.rescuer.runOnce();
    assert.equal(rig.context.state.task(job, 0)?.state, 'dispatched');
    hands.listenFor(10_000);
    await hands.rescuer.runOnce();
    assert.deepEqual(
      [rig.context.state.task(job, 0)?.state, rig.context.state.task(job, 0)?.losses],
      ['ready', 0],
    );
  });

  test('patience runs only while an agent is live, and voids what nobody has claimed', async () => {
    await using rig = await makeRig({ heartbeat: 100, dead: 60_000, patience: 1000 });
    const hands = handsOn(rig);
    const agent = new FakeAgent('a');
    await hands.say(agent.hello());
    const job = await hands.submit(specOf());
    await hands.dispatch();
    await hands.collector.runOnce(never);
    hands.listenFor(10_000);
    await hands.rescuer.runOnce();
    hands.listenFor(999);
    await hands.rescuer.runOnce();
    assert.equal(rig.context.state.task(job, 0)?.losses, 0);
    hands.listenFor(2);
    await hands.rescuer.runOnce();
    assert.equal(rig.context.state.task(job, 0)?.losses, 1);
  });

  test('while patience runs the queue is asked now and then; when it ends, once more', async () => {
    await using rig = await makeRig({ heartbeat: 100, dead: 60_000, patience: 10_000 });
    const hands = handsOn(rig);
    const { units } = rig.pool;
    let asked = 0;
    const depth = units.depth.bind(units);
    units.depth = () => {
      asked += 1;
      return depth();
    };
    await hands.say(new FakeAgent('a').hello());
    const job = await hands.submit(specOf());
    await hands.dispatch();
    await hands.collector.runOnce(never);
    hands.listenFor(10_000);
    for (let passes = 0; passes < 99; passes += 1) {
      await hands.rescuer.runOnce();
      hands.listenFor(100);
    }
    assert.ok(asked > 10 && asked <= 20, `asked ${asked} times`);
    // There is a message again, and the last answer was that there is none.
    await units.send(['anything']);
    hands.listenFor(101);
    await hands.rescuer.runOnce();
    assert.equal(rig.context.state.task(job, 0)?.losses, 0);
  });

  test('with patience off nothing is voided for want of a claim', async () => {
    await using rig = await makeRig({ patience: 'off' });
    const hands = handsOn(rig);
    await hands.say(new FakeAgent('a').hello());
    const job = await hands.submit(specOf());
    await hands.dispatch();
    await hands.collector.runOnce(never);
    hands.listenFor(10_000);
    await hands.say(new FakeAgent('a').hello());
    await hands.rescuer.runOnce();
    assert.equal(rig.context.state.task(job, 0)?.losses, 0);
  });
});
