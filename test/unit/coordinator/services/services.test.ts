import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { makeServices } from '../../../../coordinator/services/all.ts';
import { cancelJob, readCancels } from '../../../../coordinator/services/cancel.ts';
import { Controller } from '../../../../coordinator/services/controller.ts';
import { Follows } from '../../../../coordinator/services/follows.ts';
import { readText } from '../../../../coordinator/services/read-segments.ts';
import { Submitter } from '../../../../coordinator/services/submitter.ts';
import { isCode } from '../../../../shared/errors.ts';
import { controlSchema } from '../../../../shared/wire/control.ts';
import { segmentKey } from '../../../../shared/wire/keys.ts';
import { waitFor } from '../../../helpers/wait.ts';
import { FakeAgent, makeRig, specOf, takeUnits } from './rig.ts';

import { handsOn, keys } from './hands.ts';
test('every service starts and stops, twice, in any order, and runs again', async () => {
  await using rig = await makeRig();
  const follows = new Follows(rig.context.clock, rig.context.signals);
  for (const service of makeServices(rig.context, { privateKey: keys.privateKey, follows })) {
    await service.stop();
    service.start();
    service.start();
    await service.stop();
    await Promise.all([service.stop(), service.stop()]);
    service.start();
    await service.stop();
  }
});

describe('control', () => {
  test('the document follows cancels and follows, and is put only when it changes', async () => {
    await using rig = await makeRig();
    const hands = handsOn(rig);
    const follows = new Follows(rig.context.clock, rig.context.signals);
    const controller = new Controller(rig.context, rig.pool, follows);
    const read = async () =>
      controlSchema.parse(JSON.parse(await readText(rig.pool.store, 'control/local.json')));
    await controller.runOnce();
    assert.deepEqual(await read(), { v: 1, revokes: [], drains: [], recalls: [], follows: [] });
    await hands.say(new FakeAgent('a').hello());
    const job = await hands.submit(specOf());
    const [unit] = await hands.dispatch();
    follows.set(job, true);
    assert.equal(await cancelJob(rig.context, { job, tasks: null, reason: 'test' }), 1);
    await controller.runOnce();
    const { revokes, follows: followed } = await read();
    assert.deepEqual([revokes.map((revoke) => revoke.unit), followed], [[unit!.unit], [job]]);
    assert.deepEqual(
      (await readCancels(rig.context, job)).map(({ reason, tasks }) => [reason, tasks]),
      [['test', null]],
    );
  });

  test('a cancel of a task that does not exist is refused', async () => {
    await using rig = await makeRig();
    const job = await handsOn(rig).submit(specOf());
    await assert.rejects(cancelJob(rig.context, { job, tasks: [7], reason: 'test' }), (error) =>
      isCode(error, 'NOT_FOUND'),
    );
  });
});

test('all together: from submit to succeeded without anybody asking', async () => {
  await using rig = await makeRig();
  const { context, pool } = rig;
  const services = makeServices(context, {
    privateKey: keys.privateKey,
    follows: new Follows(context.clock, context.signals),
  });
  for (const service of services) service.start();
  try {
    const agent = new FakeAgent('a');
    await pool.events.send([JSON.stringify(agent.hello())]);
    const { job } = await new Submitter(context).submit({
      spec: specOf({ tasks: { kind: 'count', count: 5 } }),
    });
    for (let done = 0; done < 5; ) {
      const units = await takeUnits(pool);
      const outcomes = units.flatMap((unit) => unit.tasks.map(({ index }) => agent.outcome(unit, index)));
      if (outcomes.length === 0) {
        await waitFor('a unit', async () => (await pool.units.depth()) > 0);
        continue;
      }
      done += outcomes.length;
      await pool.events.send([
        JSON.stringify(
          agent.batch({
            type: 'outcome',
            segment: segmentKey('local', agent.agent, agent.boot, done),
            outcomes,
          }),
        ),
      ]);
    }
    await waitFor('the job succeeds', () => context.state.job(job)?.state === 'succeeded');
  } finally {
    await Promise.all(services.map((service) => service.stop()));
  }
});
