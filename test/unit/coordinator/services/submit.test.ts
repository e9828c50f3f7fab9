import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readText } from '../../../../coordinator/services/read-segments.ts';
import type { JobId } from '../../../../shared/ids.ts';
import type { JobSpec } from '../../../../shared/job-spec.ts';
import { specKey } from '../../../../shared/wire/keys.ts';
import { makeRig, specOf } from './rig.ts';

import { handsOn } from './hands.ts';
describe('submit', () => {
  test('puts the spec under the hash that units name, then shows the job', async () => {
    await using rig = await makeRig();
    const job = await handsOn(rig).submit(specOf({ name: 'naïve' }));
    assert.match(await readText(rig.context.store, specKey(job)), /"name":"na\\u00efve"/);
    assert.equal(rig.context.state.job(job)?.state, 'queued');
  });

  test('the same idempotency key gives the same job, also in one batch', async () => {
    await using rig = await makeRig();
    const { submitter } = handsOn(rig);
    const spec = specOf({ idempotencyKey: 'k' });
    const together = await Promise.all([submitter.submit({ spec }), submitter.submit({ spec })]);
    const later = await submitter.submit({ spec });
    assert.deepEqual(
      together.map(({ created }) => created),
      [true, false],
    );
    assert.equal(new Set([...together, later].map(({ job }) => job)).size, 1);
    assert.equal(rig.context.state.totals().jobs, 1);
  });

  test('a job staged before a crash is finished at the next start', async () => {
    await using rig = await makeRig();
    const { state, store } = rig.context;
    const { submitter } = handsOn(rig);
    const spec = specOf({ idempotencyKey: 'k' });
    const id = '01JAAAAAAAAAAAAAAAAAAAAAAA' as JobId;
    state.stageJob({ id, spec, specSha256: 'x', itemSet: null, submittedAt: 1 });
    assert.equal(await submitter.recover(), 1);
    assert.ok(await store.head(specKey(id)));
    assert.equal(state.stagedJobs().length, 0);
    assert.deepEqual(await submitter.submit({ spec }), { job: id, created: false });
  });

  test('a repeated submit finishes the first one that did not get to its end', async () => {
    await using rig = await makeRig();
    const spec = specOf({ idempotencyKey: 'k' });
    const id = '01JAAAAAAAAAAAAAAAAAAAAAAA' as JobId;
    rig.context.state.stageJob({ id, spec, specSha256: 'x', itemSet: null, submittedAt: 1 });
    assert.deepEqual(await handsOn(rig).submitter.submit({ spec }), { job: id, created: false });
    assert.ok(await rig.context.store.head(specKey(id)));
    assert.equal(rig.context.state.stagedJobs().length, 0);
  });

  test('refuses what cannot be, and says why', async () => {
    await using rig = await makeRig();
    const { submitter, submit } = handsOn(rig);
    const two = await submit(specOf({ tasks: { kind: 'count', count: 2 } }));
    const wrong: [Partial<JobSpec>, RegExp][] = [
      [{ command: null }, /neither/],
      [{ tasks: { kind: 'items', count: 3 } }, /says 3 items, but 0 were sent/],
      [{ depends: [{ job: 'nope', after: 'success', by: 'job' }] }, /nope, which does not exist/],
      [{ depends: [{ job: two, after: 'success', by: 'tasks' }] }, /has 1 tasks .* has 2/],
      [{ upstreamInputs: [{ job: two, glob: '*', to: '.' }] }, /not among the job's dependencies/],
      [
        { placement: { require: { pools: ['moon'] }, prefer: {} } },
        /pool moon, which is not configured. There is: local/,
      ],
      [{ retryOf: { job: two, indices: [5] } }, /Task 5 cannot be retried/],
    ];
    for (const [change, message] of wrong)
      await assert.rejects(submitter.submit({ spec: { ...specOf(), ...change } }), message);
    assert.equal(rig.context.state.totals().jobs, 1);
  });
});
