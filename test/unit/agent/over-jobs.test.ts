import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { newUnitId } from '../../../shared/ids.ts';
import { overKey } from '../../../shared/wire/keys.ts';
import type { OverMark } from '../../../shared/wire/over-mark.ts';
import type { UnitBody } from '../../../shared/wire/unit.ts';
import { Rig } from './rig.ts';
import { unitOf } from './units.ts';

/** Not issued just now: what is may begin without a look at the mark. */
const aged = (tasks: number, change: Partial<UnitBody> = {}): UnitBody =>
  unitOf(tasks, { issuedAt: Date.now() - 60_000, ...change });

describe('units of a job that is marked as over', () => {
  const mark = (rig: Rig, unit: UnitBody, epoch: number) =>
    rig.store.put(overKey(unit.job), JSON.stringify({ v: 1, epoch, endedAt: 1 } satisfies OverMark));

  it('are rejected and deleted, while those of other jobs are run', async () => {
    await using rig = await Rig.create();
    const over = aged(2);
    await mark(rig, over, 1);
    rig.start();
    const open = aged(1);
    await rig.send(over, open);
    const [rejected] = await rig.until('rejected');
    assert.equal(rejected?.why, `its job ${over.job} is over`);
    await rig.when('both messages are deleted', () => rig.deletes() === 2);
    assert.deepEqual(rig.begun, [`${open.unit}/0`]);
    await rig.when('nothing is claimed any more', () => rig.claims()?.length === 0);
  });

  it('are run when they were dispatched in a later epoch than the mark knows', async () => {
    await using rig = await Rig.create();
    const again = aged(1, { unit: newUnitId(2) });
    await mark(rig, again, 1);
    rig.start();
    await rig.send(again);
    await rig.until('outcome');
    assert.deepEqual(rig.begun, [`${again.unit}/0`]);
  });

  for (const [what, spoil] of [
    ['the store cannot be asked', (rig: Rig) => (rig.failures.get = 1)],
    ['the mark cannot be read', (rig: Rig, unit: UnitBody) => rig.store.put(overKey(unit.job), 'no JSON')],
  ] as const)
    it(`are as good as any while ${what}`, async () => {
      await using rig = (await Rig.create()).start();
      const unit = aged(1);
      await spoil(rig, unit);
      await rig.send(unit);
      await rig.until('outcome');
      assert.deepEqual(rig.begun, [`${unit.unit}/0`]);
      assert.equal(rig.failures.get, 0);
    });

  it('that nobody wants any more go back as ever, and leave room to tell of real nonsense', async () => {
    await using rig = await Rig.create();
    const cancelled = Array.from({ length: 30 }, () => aged(1));
    for (const unit of cancelled) await mark(rig, unit, 1);
    const notAfter = Date.now() + 3_600_000;
    await rig.control({ revokes: cancelled.map(({ unit }) => ({ unit, tasks: null, notAfter })) });
    rig.start();
    await rig.send(...cancelled, 'nonsense');
    await rig.until('returned', 30);
    assert.equal((await rig.until('rejected')).length, 1);
    assert.deepEqual(rig.begun, []);
  });

  it('are not looked for when they were issued just now', async () => {
    await using rig = await Rig.create();
    const fresh = unitOf(1);
    await mark(rig, fresh, 1);
    rig.start();
    await rig.send(fresh);
    await rig.until('outcome');
    assert.deepEqual(rig.begun, [`${fresh.unit}/0`]);
  });

  it('are waited for neither long nor by an agent that is to leave, when the store does not answer', async (t) => {
    await using rig = await Rig.create();
    const { store } = rig;
    const get = store.get.bind(store);
    let asked = 0;
    store.get = (key, options) => {
      if (!key.endsWith('/over.json')) return get(key, options);
      asked += 1;
      return new Promise(() => undefined);
    };
    t.after(() => (store.get = get));
    rig.start();
    const unit = aged(1);
    await rig.send(unit);
    await rig.until('outcome');
    assert.deepEqual(rig.begun, [`${unit.unit}/0`], 'taken for open after a while');

    await rig.send(aged(1));
    await rig.when('it asks again', () => asked === 2);
    rig.leave();
    await rig.finished;
    assert.equal(rig.begun.length, 1);
  });
});
