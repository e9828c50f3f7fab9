import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { describe, test } from 'node:test';
import { OverMarker } from '../../../../coordinator/services/over-marker.ts';
import { rebuildState, stateFile } from '../../../../coordinator/services/rebuild.ts';
import { Submitter } from '../../../../coordinator/services/submitter.ts';
import { openState } from '../../../../coordinator/state/open.ts';
import type { JobId } from '../../../../shared/ids.ts';
import { overKey } from '../../../../shared/wire/keys.ts';
import { runIn } from './cloud-run.ts';
import { makeRig, type Rig, specOf } from './rig.ts';

/** In which pools' stores the job is marked as over. */
async function markedIn({ context }: Rig, job: JobId): Promise<string[]> {
  const found = await Promise.all(
    context.pools.map(async ({ name, store }) =>
      (await store.head(overKey(job))) === undefined ? [] : [name],
    ),
  );
  return found.flat();
}

const passAll = async ({ context }: Rig): Promise<void> => {
  for (const pool of context.pools) await new OverMarker(context, pool).runOnce();
};

describe('a job that is over', () => {
  test('is marked in the stores of the pools that had units of it, and only there', async () => {
    await using rig = await makeRig({}, { clouds: ['north', 'south'] });
    const over = await runIn(rig.context, 'north', specOf());
    const { job: open } = await new Submitter(rig.context).submit({ spec: specOf() });
    const { state } = rig.context;
    const now = rig.clock.ms;
    state.createUnits({ job: open, pool: 'south', sizes: [1], now, notAfter: now + 1_000_000 });
    await passAll(rig);
    assert.deepEqual(await markedIn(rig, over), ['north']);
    assert.deepEqual(await markedIn(rig, open), []);
    assert.deepEqual(state.dueOverMarks('north', 10), [], 'once');
  });

  test('is marked where its units were cancelled before any agent had them', async () => {
    await using rig = await makeRig({}, { clouds: ['north'] });
    const { state } = rig.context;
    const { job } = await new Submitter(rig.context).submit({ spec: specOf() });
    const now = rig.clock.ms;
    state.createUnits({ job, pool: 'north', sizes: [1], now, notAfter: now + 1_000_000 });
    state.cancel(job, null, 'asked', now);
    await passAll(rig);
    assert.deepEqual(await markedIn(rig, job), [], 'not before its end is exported');
    const { number = 0 } = state.pendingVerdicts(10) ?? {};
    state.markExported(number, now);
    await passAll(rig);
    assert.deepEqual(await markedIn(rig, job), ['north']);
  });

  test('is marked again after a crash between the mark and the note of it', async () => {
    await using rig = await makeRig();
    const job = await runIn(rig.context, 'local', specOf());
    const { state } = rig.context;
    const note = state.noteOverMarked.bind(state);
    state.noteOverMarked = () => {
      throw new Error('crash');
    };
    await assert.rejects(passAll(rig), /crash/);
    state.noteOverMarked = note;
    await rig.pool.store.remove([overKey(job)]);
    await passAll(rig);
    assert.deepEqual(await markedIn(rig, job), ['local']);
  });

  test('waits for a store that fails', async () => {
    await using rig = await makeRig();
    const job = await runIn(rig.context, 'local', specOf());
    const { store } = rig.pool;
    const put = store.put.bind(store);
    store.put = () => Promise.reject(new Error('no'));
    await assert.rejects(passAll(rig), /no/);
    store.put = put;
    await passAll(rig);
    assert.deepEqual(await markedIn(rig, job), ['local']);
  });

  test('is marked by few puts at a time, and by none after one that fails: a bad moment must not darken a pool', async () => {
    await using rig = await makeRig();
    for (let n = 0; n < 10; n += 1) await runIn(rig.context, 'local', specOf());
    const { store } = rig.pool;
    let failed = 0;
    store.put = async () => {
      failed += 1;
      throw new Error('no');
    };
    await assert.rejects(passAll(rig), /no/);
    assert.ok(failed <= 2, `${failed} puts`);
    assert.equal(rig.context.state.dueOverMarks('local', 20).length, 10);
  });

  test('is not marked once its units are expired', async () => {
    await using rig = await makeRig({ notAfter: 3_600_000 });
    const job = await runIn(rig.context, 'local', specOf());
    rig.clock.ms += 3 * 3_600_000;
    await passAll(rig);
    assert.deepEqual(await markedIn(rig, job), []);
    assert.deepEqual(rig.context.state.dueOverMarks('local', 10), []);
  });

  test('is marked in every pool after a rebuild', async () => {
    await using rig = await makeRig({}, { clouds: ['north'] });
    const { config, log, clock } = rig.context;
    const job = await runIn(rig.context, 'north', specOf());
    const marked = await runIn(rig.context, 'local', specOf());
    await new OverMarker(rig.context, rig.pool).runOnce();
    assert.deepEqual(await markedIn(rig, marked), ['local']);
    rig.context.state.close();
    rmSync(stateFile(config.home));
    await rebuildState({ config, log, clock });
    const state = openState(stateFile(config.home));
    const due = (pool: string): JobId[] => state.dueOverMarks(pool, 10).map((mark) => mark.job);
    // Where its units were nobody knows any more.
    assert.deepEqual(due('north'), [job, marked]);
    assert.deepEqual(due('local'), [job, marked]);
    assert.equal(state.epoch(), 2, 'so that the new mark speaks of all units of before');
    state.close();
  });
});
