import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { logKey, resultPrefix, segmentKey } from '../../../../shared/wire/keys.ts';
import { waitFor } from '../../../helpers/wait.ts';
import { FakeAgent, specOf, takeUnits } from '../services/rig.ts';

import { type Api, openApi, TOKEN } from './rig.ts';

describe('a job through the API', () => {
  /** Submits, and has a made-up agent end task 0. */
  async function runOne(api: Api, change: Parameters<FakeAgent['outcome']>[2] = {}) {
    const { rig } = api;
    const agent = new FakeAgent('a');
    await rig.pool.events.send([JSON.stringify(agent.hello())]);
    const submitted = await api.call('POST', '/v1/jobs', { spec: specOf() });
    assert.equal(submitted.status, 201);
    const job = submitted.json.job;
    const [unit] = await waitFor('a unit', async () => {
      const units = await takeUnits(rig.pool);
      return units.length > 0 && units;
    });
    const outcome = agent.outcome(unit!, 0, change);
    const started = {
      type: 'started' as const,
      unit: unit!.unit,
      tasks: [{ index: 0, attempt: outcome.attempt, run: outcome.run, at: 1 }],
    };
    await rig.pool.events.send([JSON.stringify(agent.batch(started))]);
    await waitFor(
      'it runs',
      async () => (await api.call('GET', `/v1/jobs/${job}/tasks/0`)).json.state === 'running',
    );
    const end = async () =>
      rig.pool.events.send([
        JSON.stringify(
          agent.batch({
            type: 'outcome',
            segment: segmentKey('local', agent.agent, agent.boot, 1),
            outcomes: [outcome],
          }),
        ),
      ]);
    return { job, outcome, end };
  }

  test('wait answers at the end; logs, outputs and objects are there', async () => {
    await using api = await openApi();
    const run = await runOne(api);
    const key = `${resultPrefix(run.outcome.job, 0, run.outcome.run)}out.txt`;
    await api.rig.context.store.put(key, 'data');
    run.outcome.outputs.push({
      path: 'out.txt',
      key,
      sizeBytes: 4,
      sha256: createHash('sha256').update('data').digest('hex'),
    });
    const waiting = api.call('GET', `/v1/jobs/${run.job}/wait?timeoutMs=20000`);
    const following = api.call('GET', `/v1/jobs/${run.job}/events?follow=1`);
    await run.end();
    assert.equal((await waiting).json.state, 'succeeded');
    const lines = (await following).text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { seq: number });
    assert.ok(lines.length >= 2);
    assert.deepEqual(
      lines.map(({ seq }) => seq),
      lines.map(({ seq }) => seq).toSorted((a, b) => a - b),
    );
    const log = await api.call('GET', `/v1/jobs/${run.job}/tasks/0/logs/stdout`);
    assert.deepEqual([log.text, log.headers.get('x-clobi-complete')], ['hi', '1']);
    assert.deepEqual(
      (await api.call('GET', `/v1/jobs/${run.job}/outputs`)).json.outputs.map(({ key: named }) => named),
      [key],
    );
    assert.equal((await api.call('GET', `/v1/objects/${key}`)).text, 'data');
    await api.rig.context.store.put('results/x/0/1.1-a/secret', 'no');
    assert.equal((await api.call('GET', '/v1/objects/results/x/0/1.1-a/secret')).status, 404);
    assert.match((await api.call('GET', '/metrics')).text, /clobi_tasks\{state="succeeded"\} 1/);
    assert.match((await api.call('GET', `/v1/jobs/${run.job}/tasks/0/explain`)).json.summary, /succeeded/);
  });

  test('while it runs, the chunks so far are the log', async () => {
    await using api = await openApi();
    const run = await runOne(api);
    const at = { job: run.outcome.job, index: 0, run: run.outcome.run };
    await api.rig.context.store.put(logKey(at, 'stdout', 0), 'one ');
    await api.rig.context.store.put(logKey(at, 'stdout', 1), 'two');
    const log = await api.call('GET', `/v1/jobs/${run.job}/tasks/0/logs/stdout`);
    assert.deepEqual([log.text, log.headers.get('x-clobi-complete')], ['one two', null]);
    assert.equal((await api.call('GET', `/v1/jobs/${run.job}/tasks/0/logs/stdout?attempt=9.9`)).status, 404);
  });

  test('retry makes one new job, however often it is asked while that one is open', async () => {
    await using api = await openApi();
    const run = await runOne(api, { result: 'failed', reason: 'exit', exitCode: 3 });
    assert.equal(
      (await api.call('POST', `/v1/jobs/${run.job}/retry`, { select: 'failed' })).json.error.code,
      'CONFLICT',
    );
    await run.end();
    assert.equal((await api.call('GET', `/v1/jobs/${run.job}/wait?timeoutMs=20000`)).json.state, 'failed');
    assert.match((await api.call('GET', `/v1/jobs/${run.job}/tasks/0/explain`)).json.summary, /exit code 3/);
    const first = await api.call('POST', `/v1/jobs/${run.job}/retry`, {
      select: 'failed',
      resources: { cpus: 2 },
    });
    const again = await api.call('POST', `/v1/jobs/${run.job}/retry`, {
      select: 'failed',
      resources: { cpus: 2 },
    });
    assert.deepEqual([first.status, again.status, again.json.job], [201, 200, first.json.job]);
    assert.deepEqual((await api.call('GET', `/v1/jobs/${run.job}`)).json.retriedBy, [first.json.job]);
    assert.equal((await api.call('GET', `/v1/jobs/${first.json.job}/spec`)).json.resources.cpus, 2);
  });

  test('cancel ends what is open, and says how many', async () => {
    await using api = await openApi();
    const job = (
      await api.call('POST', '/v1/jobs', {
        spec: specOf({ tasks: { kind: 'count', count: 1_000_000 }, hold: true }),
      })
    ).json.job;
    assert.equal((await api.call('GET', `/v1/jobs/${job}`)).json.state, 'held');
    assert.match((await api.call('GET', `/v1/jobs/${job}/explain`)).json.summary, /held/);
    assert.deepEqual((await api.call('POST', `/v1/jobs/${job}/cancel`, { reason: 'why not' })).json, {
      cancelled: 1_000_000,
    });
    const view = (await api.call('GET', `/v1/jobs/${job}/wait?timeoutMs=20000`)).json;
    assert.deepEqual([view.state, view.cancelReason], ['cancelled', 'why not']);
    const why = (await api.call('GET', `/v1/jobs/${job}/explain`)).json;
    assert.match(why.summary, /^1000000 tasks were cancelled: why not\.$/);
    assert.doesNotMatch(JSON.stringify(why), /held|release/);
    assert.equal((await api.call('POST', `/v1/jobs/${job}/cancel`)).json.cancelled, 0);
  });
});

describe('inputs', () => {
  const put = (api: Api, hash: string, body: string) =>
    fetch(`${api.url}/v1/inputs/${hash}`, {
      method: 'PUT',
      body,
      headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/octet-stream' },
    });

  test('are stored under their hash, and no others', async () => {
    await using api = await openApi();
    const body = 'x'.repeat(3_000_000);
    const hash = createHash('sha256').update(body).digest('hex');
    const missing = async () =>
      (await api.call('POST', '/v1/inputs/missing', { sha256: [hash] })).json.missing;
    assert.deepEqual(await missing(), [hash]);
    assert.equal((await put(api, hash, 'something else')).status, 422);
    assert.deepEqual(await missing(), [hash]);
    const stored = await put(api, hash, body);
    assert.deepEqual([stored.status, await stored.json()], [200, { sha256: hash, sizeBytes: body.length }]);
    assert.deepEqual(await missing(), []);
    assert.equal((await put(api, 'nothash', body)).status, 400);
  });
});
