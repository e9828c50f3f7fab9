import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Explanation, JobView, PoolView } from '../../../../coordinator/http/api.ts';
import { Ledger } from '../../../../coordinator/services/ledger.ts';
import type { UnitRow } from '../../../../coordinator/state/store.ts';
import { ClobiError } from '../../../../shared/errors.ts';
import type { JobId } from '../../../../shared/ids.ts';
import { FakeAgent, type Rig, specOf } from '../services/rig.ts';
import { openApi } from './rig.ts';

/** A unit with the job's only task, not sent yet. */
function unitIn({ context, clock }: Rig, pool: string, job: unknown): UnitRow {
  const [unit] = context.state.createUnits({
    job: job as JobId,
    pool,
    sizes: [1],
    now: clock.ms,
    notAfter: clock.ms + 1e9,
  });
  return unit!;
}

test('a dark pool shows in pools, metrics and explain, with since when and why; it can be retried and given up', async () => {
  await using api = await openApi({ clouds: ['cloud'] });
  const { rig, call } = api;
  const cloud = rig.context.pools[1]!;
  const pool = async (): Promise<PoolView | undefined> =>
    ((await call('GET', '/v1/pools')).json as unknown as { pools: PoolView[] }).pools[1];
  assert.equal((await pool())?.health.dark, false);
  assert.equal((await call('POST', '/v1/pools/cloud/give-up')).status, 409);

  rig.context.state.apply([new FakeAgent('a', 'b', 'cloud').hello()], rig.clock.ms);
  const spec = specOf({ placement: { require: { pools: ['cloud'] } } });
  const { job } = (await call('POST', '/v1/jobs', { spec })).json;
  const denied = new ClobiError('CLOUD_AUTH', 'allow sqs:SendMessage');
  await assert.rejects(cloud.guard.call('units.send', () => Promise.reject(denied)));
  const { health, queueDepth } = (await pool())!;
  assert.deepEqual([health.dark, health.why, queueDepth], [true, 'units.send: allow sqs:SendMessage', null]);
  assert.equal(health.operations['units.send']?.trouble, 'auth');
  const { text } = await call('GET', '/metrics');
  assert.match(text, /clobi_pool_dark\{pool="cloud"\} 1/);
  assert.match(text, /clobi_operation_refused\{pool="cloud",operation="units.send"\} 1/);

  const { pools } = (await call('GET', `/v1/jobs/${job}/explain`)).json as unknown as Explanation;
  const why = pools.find((one) => one.pool === 'cloud')?.why ?? '';
  assert.match(why, /^dark since \d{4}-.*\(units\.send: allow sqs:SendMessage\)$/);
  assert.equal((await call('POST', '/v1/pools/cloud/give-up')).status, 200);
  assert.equal((await call('POST', '/v1/pools/cluod/retry')).status, 404);
  assert.equal((await call('POST', '/v1/pools/cloud/retry')).status, 200);
  await cloud.guard.call('units.send', async () => undefined);
  assert.equal((await pool())?.health.dark, false);
});

test('a task in a dark pool tells what becomes of it', async () => {
  await using api = await openApi({ clouds: ['cloud'] });
  const { rig, call } = api;
  const { state } = rig.context;
  const cloud = rig.context.pools[1]!;
  const explain = async (job: string): Promise<string> =>
    ((await call('GET', `/v1/jobs/${job}/tasks/0/explain`)).json as unknown as Explanation).reasons
      .map(({ text }) => text)
      .join('\n');
  const submitted: string[] = [];
  for (const lost of [0, 1]) {
    const { retry } = specOf();
    const spec = specOf({ retry: { ...retry, lost } });
    const { job } = (await call('POST', '/v1/jobs', { spec })).json;
    state.markSent([unitIn(rig, 'cloud', job).unit], rig.clock.ms);
    submitted.push(job);
  }
  const down = new ClobiError('UNAVAILABLE', 'no answer');
  for (let time = 0; time < 5; time += 1)
    await assert.rejects(cloud.guard.call('store.get', () => Promise.reject(down)));
  const [once, again] = submitted;
  assert.match(await explain(once!), /Pool cloud is dark since .*no loss left, so it waits.*give-up cloud/);
  assert.match(await explain(again!), /Pool cloud is dark since .*After 1m it goes to another pool/);
});

test('requests show in the job, in the pool and in metrics', async () => {
  await using api = await openApi();
  const { rig, call } = api;
  const { state } = rig.context;
  state.addRequests('local', { 'sqs:SendMessage': 4 });
  const { job } = (await call('POST', '/v1/jobs', { spec: specOf() })).json;
  const agent = new FakeAgent('a');
  const { unit } = unitIn(rig, 'local', job);
  const body = { unit, job, tasks: [{ index: 0, attempt: '1.1' }] } as never;
  state.commit([agent.outcome(body, 0)], rig.clock.ms);
  new Ledger(rig.context).runOnce();
  const { requests } = (await call('GET', `/v1/jobs/${job}`)).json as unknown as JobView;
  assert.equal(requests.usd.toFixed(9), '0.000001600');
  assert.deepEqual({ ...requests, usd: 0 }, { count: 4, usd: 0, operations: { 'sqs:SendMessage': 4 } });
  const { pools } = (await call('GET', '/v1/pools')).json as unknown as { pools: PoolView[] };
  assert.equal(pools[0]?.requests.count, 4);
  const { text } = await call('GET', '/metrics');
  assert.match(text, /clobi_requests_total\{pool="local",operation="sqs:SendMessage"\} 4/);
});
