import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { request } from 'node:http';
import { describe, test } from 'node:test';
import { buildServer } from '../../../../coordinator/http/server.ts';
import { makeServices } from '../../../../coordinator/services/all.ts';
import { Follows } from '../../../../coordinator/services/follows.ts';
import { listenOn } from '../../../../coordinator/services/listen.ts';
import { Submitter } from '../../../../coordinator/services/submitter.ts';
import { logKey, resultPrefix, segmentKey } from '../../../../shared/wire/keys.ts';
import { newKeyPair } from '../../../../shared/wire/signature.ts';
import { waitFor } from '../../../helpers/wait.ts';
import { FakeAgent, makeRig, type Rig, specOf, takeUnits } from '../services/rig.ts';

const TOKEN = 'a-token-for-tests';
const keys = newKeyPair();

/** Whatever the calls of these tests answer; each test knows which fields are there. */
interface Answer {
  job: string;
  id: string;
  state: string;
  epoch: number;
  summary: string;
  cancelled: number;
  cancelReason: string;
  retriedBy: string[];
  missing: string[];
  outputs: { key: string }[];
  resources: { cpus: number };
  error: { code: string; message: string; context: { problems: string[] } };
}

interface Api extends AsyncDisposable {
  rig: Rig;
  url: string;
  call: (method: string, path: string, body?: unknown) => Promise<{ status: number; json: Answer; text: string; headers: Headers }>;
}

async function openApi(): Promise<Api> {
  const rig = await makeRig();
  const { context } = rig;
  const follows = new Follows(context.clock, context.signals);
  const services = makeServices(context, { privateKey: keys.privateKey, follows });
  for (const service of services) service.start();
  const app = await buildServer({ ...context, submitter: new Submitter(context), follows, token: TOKEN, startedAt: 1, version: '0' });
  const url = await listenOn(app, '127.0.0.1:0');
  return {
    rig,
    url,
    async call(method, path, body) {
      const headers = { authorization: `Bearer ${TOKEN}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) };
      const response = await fetch(url + path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
      const text = await response.text();
      const isJson = response.headers.get('content-type')?.includes('application/json') === true;
      return { status: response.status, json: (isJson ? JSON.parse(text) : {}) as Answer, text, headers: response.headers };
    },
    async [Symbol.asyncDispose]() {
      await app.close();
      await Promise.all(services.map((service) => service.stop()));
      await rig[Symbol.asyncDispose]();
    },
  };
}

/** With headers that fetch does not let one choose. */
function rawGet(url: string, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    request(url, { headers }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    }).on('error', reject).end();
  });
}

describe('who may ask', () => {
  test('nothing without the token but health and documentation', async () => {
    await using api = await openApi();
    for (const path of ['/v1/status', '/v1/jobs', '/metrics', '/nowhere']) {
      assert.equal((await fetch(api.url + path)).status, 401, path);
      assert.equal((await fetch(api.url + path, { headers: { authorization: 'Bearer wrong' } })).status, 401, path);
    }
    for (const path of ['/healthz', '/openapi.json']) assert.equal((await fetch(api.url + path)).status, 200, path);
    assert.equal((await api.call('GET', '/v1/status')).json.epoch, 1);
  });

  test('not under another host name, nor from another page', async () => {
    await using api = await openApi();
    const authorization = `Bearer ${TOKEN}`;
    const own = new URL(api.url).host;
    assert.equal(await rawGet(`${api.url}/v1/status`, { authorization, host: 'evil.example' }), 403);
    assert.equal(await rawGet(`${api.url}/healthz`, { host: 'evil.example' }), 403);
    assert.equal(await rawGet(`${api.url}/v1/status`, { authorization, origin: 'http://evil.example' }), 403);
    assert.equal(await rawGet(`${api.url}/v1/status`, { authorization, origin: 'null' }), 403);
    assert.equal(await rawGet(`${api.url}/v1/status`, { authorization, origin: `http://${own}` }), 200);
    assert.equal(await rawGet(`${api.url}/v1/status`, { authorization, host: `localhost:${new URL(api.url).port}` }), 200);
  });
});

describe('what is wrong is said', () => {
  test('404 for what is not there', async () => {
    await using api = await openApi();
    const job = (await api.call('POST', '/v1/jobs', { spec: specOf() })).json.job;
    for (const path of ['/v1/jobs/last2', '/v1/nothing', `/v1/jobs/${job}/tasks/9`, '/v1/objects/jobs/x/spec.json', `/v1/objects/results/${job}/0/1.1-a/x`]) {
      const { status, json } = await api.call('GET', path);
      assert.deepEqual([status, json.error.code], [404, 'NOT_FOUND'], path);
    }
    assert.equal((await api.call('POST', '/v1/agents/nobody/drain', {})).status, 404);
  });

  test('400 with every problem for a body or query that does not fit', async () => {
    await using api = await openApi();
    const wrong = await api.call('POST', '/v1/jobs', { spec: { ...specOf(), name: '', priority: 1e6 } });
    assert.deepEqual([wrong.status, wrong.json.error.code, wrong.json.error.context.problems.length], [400, 'INVALID_JOB', 2]);
    assert.match(wrong.json.error.message, /body\.spec\.name: .*body\.spec\.priority/);
    assert.equal((await api.call('GET', '/v1/jobs?limit=0')).json.error.code, 'USAGE');
    assert.equal((await api.call('GET', '/v1/jobs?state=odd')).status, 400);
    const broken = await fetch(`${api.url}/v1/jobs`, { method: 'POST', body: '{', headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' } });
    assert.equal(broken.status, 400);
    const xml = await fetch(`${api.url}/v1/jobs`, { method: 'POST', body: '<', headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'text/xml' } });
    assert.equal(xml.status, 400);
    const large = await api.call('POST', '/v1/jobs/last/cancel', { reason: 'x'.repeat(2 * 1024 * 1024) });
    assert.deepEqual([large.status, large.json.error.code], [413, 'LIMIT_EXCEEDED']);
  });

  test('ids by prefix: one, several, none', async () => {
    await using api = await openApi();
    const first = (await api.call('POST', '/v1/jobs', { spec: specOf() })).json.job;
    const second = (await api.call('POST', '/v1/jobs', { spec: specOf() })).json.job;
    assert.equal((await api.call('GET', `/v1/jobs/${first.slice(0, 20).toLowerCase()}`)).json.id, first);
    assert.equal((await api.call('GET', `/v1/jobs/${first.slice(0, 2)}`)).json.error.code, 'AMBIGUOUS_ID');
    assert.ok([first, second].includes((await api.call('GET', '/v1/jobs/last')).json.id));
    assert.equal((await api.call('GET', '/v1/jobs/zzz')).status, 404);
  });
});

test('openapi.json names every call', async () => {
  await using api = await openApi();
  const document = (await api.call('GET', '/openapi.json')).json as unknown as { paths: Record<string, Record<string, { requestBody?: unknown }>> };
  const calls = Object.entries(document.paths).flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method} ${path}`));
  for (const call of ['post /v1/jobs', 'get /v1/jobs/{job}/wait', 'put /v1/inputs/{sha256}', 'get /v1/pools', 'get /healthz']) assert.ok(calls.includes(call), call);
  assert.ok(document.paths['/v1/jobs']?.['post']?.requestBody);
});

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
    const started = { type: 'started' as const, unit: unit!.unit, tasks: [{ index: 0, attempt: outcome.attempt, run: outcome.run, at: 1 }] };
    await rig.pool.events.send([JSON.stringify(agent.batch(started))]);
    await waitFor('it runs', async () => (await api.call('GET', `/v1/jobs/${job}/tasks/0`)).json.state === 'running');
    const end = async () => rig.pool.events.send([JSON.stringify(agent.batch({ type: 'outcome', segment: segmentKey('local', agent.agent, agent.boot, 1), outcomes: [outcome] }))]);
    return { job, outcome, end };
  }

  test('wait answers at the end; logs, outputs and objects are there', async () => {
    await using api = await openApi();
    const run = await runOne(api);
    const key = `${resultPrefix(run.outcome.job, 0, run.outcome.run)}out.txt`;
    await api.rig.context.store.put(key, 'data');
    run.outcome.outputs.push({ path: 'out.txt', key, sizeBytes: 4, sha256: createHash('sha256').update('data').digest('hex') });
    const waiting = api.call('GET', `/v1/jobs/${run.job}/wait?timeoutMs=20000`);
    const following = api.call('GET', `/v1/jobs/${run.job}/events?follow=1`);
    await run.end();
    assert.equal((await waiting).json.state, 'succeeded');
    const lines = (await following).text.trim().split('\n').map((line) => JSON.parse(line) as { seq: number });
    assert.ok(lines.length >= 2);
    assert.deepEqual(lines.map(({ seq }) => seq), lines.map(({ seq }) => seq).toSorted((a, b) => a - b));
    const log = await api.call('GET', `/v1/jobs/${run.job}/tasks/0/logs/stdout`);
    assert.deepEqual([log.text, log.headers.get('x-clobi-complete')], ['hi', '1']);
    assert.deepEqual((await api.call('GET', `/v1/jobs/${run.job}/outputs`)).json.outputs.map(({ key: named }) => named), [key]);
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
    assert.equal((await api.call('POST', `/v1/jobs/${run.job}/retry`, { select: 'failed' })).json.error.code, 'CONFLICT');
    await run.end();
    assert.equal((await api.call('GET', `/v1/jobs/${run.job}/wait?timeoutMs=20000`)).json.state, 'failed');
    assert.match((await api.call('GET', `/v1/jobs/${run.job}/tasks/0/explain`)).json.summary, /exit code 3/);
    const first = await api.call('POST', `/v1/jobs/${run.job}/retry`, { select: 'failed', resources: { cpus: 2 } });
    const again = await api.call('POST', `/v1/jobs/${run.job}/retry`, { select: 'failed', resources: { cpus: 2 } });
    assert.deepEqual([first.status, again.status, again.json.job], [201, 200, first.json.job]);
    assert.deepEqual((await api.call('GET', `/v1/jobs/${run.job}`)).json.retriedBy, [first.json.job]);
    assert.equal((await api.call('GET', `/v1/jobs/${first.json.job}/spec`)).json.resources.cpus, 2);
  });

  test('cancel ends what is open, and says how many', async () => {
    await using api = await openApi();
    const job = (await api.call('POST', '/v1/jobs', { spec: specOf({ tasks: { kind: 'count', count: 1_000_000 }, hold: true }) })).json.job;
    assert.equal((await api.call('GET', `/v1/jobs/${job}`)).json.state, 'held');
    assert.match((await api.call('GET', `/v1/jobs/${job}/explain`)).json.summary, /held/);
    assert.deepEqual((await api.call('POST', `/v1/jobs/${job}/cancel`, { reason: 'why not' })).json, { cancelled: 1_000_000 });
    const view = (await api.call('GET', `/v1/jobs/${job}/wait?timeoutMs=20000`)).json;
    assert.deepEqual([view.state, view.cancelReason], ['cancelled', 'why not']);
    assert.equal((await api.call('POST', `/v1/jobs/${job}/cancel`)).json.cancelled, 0);
  });
});

describe('inputs', () => {
  const put = (api: Api, hash: string, body: string) =>
    fetch(`${api.url}/v1/inputs/${hash}`, { method: 'PUT', body, headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/octet-stream' } });

  test('are stored under their hash, and no others', async () => {
    await using api = await openApi();
    const body = 'x'.repeat(3_000_000);
    const hash = createHash('sha256').update(body).digest('hex');
    const missing = async () => (await api.call('POST', '/v1/inputs/missing', { sha256: [hash] })).json.missing;
    assert.deepEqual(await missing(), [hash]);
    assert.equal((await put(api, hash, 'something else')).status, 422);
    assert.deepEqual(await missing(), [hash]);
    const stored = await put(api, hash, body);
    assert.deepEqual([stored.status, await stored.json()], [200, { sha256: hash, sizeBytes: body.length }]);
    assert.deepEqual(await missing(), []);
    assert.equal((await put(api, 'nothash', body)).status, 400);
  });
});
