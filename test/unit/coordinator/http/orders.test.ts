import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Explanation, PoolView } from '../../../../coordinator/http/api.ts';
import { FakeAgent, specOf } from '../services/rig.ts';
import { openApi } from './rig.ts';

test('orders show in the pool, in explain, and in the job; a wrong one is refused with what is near', async () => {
  await using api = await openApi();
  const { rig, call } = api;
  const { job } = (await call('POST', '/v1/jobs', { spec: specOf() })).json;
  const explain = async (): Promise<Explanation> =>
    (await call('GET', `/v1/jobs/${job}/explain`)).json as unknown as Explanation;
  const pool = async (): Promise<PoolView | undefined> =>
    ((await call('GET', '/v1/pools')).json as unknown as { pools: PoolView[] }).pools[0];

  assert.equal((await explain()).pools[0]?.why, 'no live agent');
  const paused = await call('POST', '/v1/pools/local/pause');
  assert.deepEqual(paused.json, { pool: 'local', mode: 'paused', units: 0, tasks: 0 });
  assert.equal((await pool())?.mode, 'paused');
  rig.context.state.apply([new FakeAgent('a').hello()], rig.clock.ms);
  const { summary, pools } = await explain();
  assert.match(summary, /No pool that suits takes work: local is paused since .*clobi pool resume local/);
  assert.deepEqual([pools[0]?.eligible, pools[0]?.takesWork, pools[0]?.rank], [true, false, null]);

  assert.equal((await call('POST', `/v1/jobs/${job}/move`, { to: 'local' })).status, 200);
  assert.equal((await call('GET', `/v1/jobs/${job}`)).json.movedTo, 'local');
  assert.ok((await explain()).reasons.some(({ code }) => code === 'moved'));
  const wrong = await call('POST', `/v1/jobs/${job}/move`, { to: 'locla' });
  assert.equal(wrong.status, 404);
  assert.match(wrong.json.error.message, /no pool "locla"; did you mean "local"/);
  assert.equal((await call('POST', '/v1/pools/nowhere/drain')).status, 404);

  await call('POST', '/v1/pools/local/drain');
  assert.deepEqual((await pool())?.mode, 'draining');
  await call('POST', '/v1/pools/local/resume');
  assert.equal((await pool())?.modeSince, null);
  assert.match((await explain()).pools[0]?.why ?? '', /one more task would be done in about/);
});

test('publishing is hastened or given up for a job that publishes, and for no other', async () => {
  await using api = await openApi();
  const { call, rig } = api;
  const publish = `file:${rig.context.config.home}/published`;
  const { job } = (await call('POST', '/v1/jobs', { spec: specOf({ publish }) })).json;
  const reply = await call('POST', `/v1/jobs/${job}/publish`, { giveUp: true });
  assert.deepEqual([reply.status, reply.json], [200, { job, to: publish, tasks: 0, giveUp: true }]);
  assert.equal((await call('POST', `/v1/jobs/${job}/publish`, {})).status, 200);
  assert.equal((await call('POST', `/v1/jobs/${job}/publish`, { giveUp: 'yes' })).status, 400);

  const plain = (await call('POST', '/v1/jobs', { spec: specOf() })).json.job;
  const refused = await call('POST', `/v1/jobs/${plain}/publish`, {});
  assert.equal(refused.status, 409);
  assert.match(refused.json.error.message, /names no place to publish to/);
});
