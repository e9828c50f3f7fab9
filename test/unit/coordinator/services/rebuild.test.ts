import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { coordinatorDirectory } from '../../../../shared/paths.ts';
import { cancelJob, readCancels } from '../../../../coordinator/services/cancel.ts';
import { rebuildState, stateFile } from '../../../../coordinator/services/rebuild.ts';
import { Submitter } from '../../../../coordinator/services/submitter.ts';
import { type CoordinatorState, openState } from '../../../../coordinator/state/open.ts';
import { isCode } from '../../../../shared/errors.ts';
import type { JobId } from '../../../../shared/ids.ts';
import { cancelKey, itemsKey, specKey } from '../../../../shared/wire/keys.ts';
import { makeRig, type Rig, specOf } from './rig.ts';

/** Rebuilds from the rig's store and gives the new state, as the next coordinator finds it. */
async function rebuilt(rig: Rig): Promise<{ state: CoordinatorState; leftOut: readonly string[] }> {
  const { config, log, clock } = rig.context;
  rig.context.state.close();
  const { leftOut } = await rebuildState({ config, log, clock, force: true });
  return { state: openState(stateFile(config.home)), leftOut };
}

const submitTo = async (rig: Rig, spec: Parameters<typeof specOf>[0], items?: object[]): Promise<JobId> =>
  (await new Submitter(rig.context).submit({ spec: specOf(spec), ...(items && { items }) })).job;

describe('rebuild', () => {
  test('leaves out jobs whose spec or items are damaged, cancels what depended on them, and brings back the rest', async () => {
    await using rig = await makeRig();
    const two = { kind: 'items' as const, count: 2 };
    const bare = await submitTo(rig, {});
    const noSpec = await submitTo(rig, {});
    const cut = await submitTo(rig, { tasks: two }, [{ item: 'a' }, { item: 'b' }]);
    const gone = await submitTo(rig, { tasks: two }, [{ item: 'a' }, { item: 'b' }]);
    const depends = [{ job: noSpec, after: 'success' as const, by: 'job' as const }];
    const orphan = await submitTo(rig, { depends });
    const { store } = rig.context;
    await store.put(specKey(noSpec), '{"v":1,"na');
    await store.put(itemsKey(cut), '{"item":"a"}\n{"item":');
    await store.remove([itemsKey(gone)]);
    await store.put(cancelKey(bare), 'no JSON');

    const { state, leftOut } = await rebuilt(rig);
    assert.deepEqual(new Set(leftOut), new Set([noSpec, cut, gone]));
    assert.equal(state.task(bare, 0)?.state, 'ready');
    assert.equal(state.job(cut), undefined);
    assert.equal(state.pendingVerdicts(10)?.verdicts[0]?.job, orphan);
    assert.equal(state.pendingVerdicts(10)?.verdicts[0]?.state, 'cancelled');
    state.close();
  });

  test('takes dependencies in whatever order the ids come, and two jobs with one key', async () => {
    await using rig = await makeRig();
    const early = await submitTo(rig, { idempotencyKey: 'k' });
    const late = await submitTo(rig, {});
    const { store } = rig.context;
    // As if the clock had been set back between the two submits.
    await store.put(
      specKey(early),
      JSON.stringify(specOf({ idempotencyKey: 'k', depends: [{ job: late, after: 'end', by: 'job' }] })),
    );
    await store.put(specKey(late), JSON.stringify(specOf({ idempotencyKey: 'k' })));

    const { state, leftOut } = await rebuilt(rig);
    assert.deepEqual(leftOut, []);
    assert.equal(state.task(early, 0)?.state, 'blocked');
    assert.equal(state.task(late, 0)?.state, 'ready');
    state.close();
  });

  test('needs no force where the state is damaged, which a start refuses with the way out', async () => {
    await using rig = await makeRig();
    const job = await submitTo(rig, {});
    const { config, log } = rig.context;
    rig.context.state.close();
    writeFileSync(stateFile(config.home), 'x'.repeat(100_000));
    assert.throws(() => openState(stateFile(config.home)), /damaged .*clobi coordinator rebuild/);
    assert.equal((await rebuildState({ config, log })).jobs, 1);
    assert.ok(
      readdirSync(coordinatorDirectory(config.home)).some((name) => name.includes('.before-rebuild-')),
      'the damaged file is kept',
    );
    const state = openState(stateFile(config.home));
    assert.equal(state.task(job, 0)?.state, 'ready');
    state.close();
  });

  test('gives tasks their time in the queue anew: which of them had started is forgotten', async () => {
    await using rig = await makeRig();
    const job = await submitTo(rig, { timeout: { queueMs: 1_000 } });
    rig.clock.ms += 5_000;
    const { state } = await rebuilt(rig);
    assert.equal(state.cancelOverdue(rig.clock.ms + 999), 0);
    assert.equal(state.task(job, 0)?.state, 'ready');
    assert.equal(state.cancelOverdue(rig.clock.ms + 1_000), 1);
    state.close();
  });
});

test('cancels of one job at the same time are all in its object; one that cannot be read holds up none', async () => {
  await using rig = await makeRig();
  const job = await submitTo(rig, { tasks: { kind: 'count', count: 20 } });
  await rig.context.store.put(cancelKey(job), '[{"tasks":');
  const all = Array.from({ length: 10 }, (_, index) =>
    cancelJob(rig.context, { job, tasks: [index], reason: 'test' }),
  );
  const refused = cancelJob(rig.context, { job, tasks: [99], reason: 'test' });
  await assert.rejects(refused, (error) => isCode(error, 'NOT_FOUND'));
  assert.deepEqual(await Promise.all(all), Array(10).fill(1));
  assert.deepEqual(
    (await readCancels(rig.context, job)).flatMap(({ tasks }) => tasks),
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
  );
});
