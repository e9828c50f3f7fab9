import assert from 'node:assert/strict';
import { request } from 'node:http';
import { describe, test } from 'node:test';
import { specOf } from '../services/rig.ts';

import { openApi, TOKEN } from './rig.ts';

/** With headers that fetch does not let one choose. */
function rawGet(url: string, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    request(url, { headers }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    })
      .on('error', reject)
      .end();
  });
}

describe('who may ask', () => {
  test('nothing without the token but health and documentation', async () => {
    await using api = await openApi();
    for (const path of ['/v1/status', '/v1/jobs', '/metrics', '/nowhere']) {
      assert.equal((await fetch(api.url + path)).status, 401, path);
      assert.equal(
        (await fetch(api.url + path, { headers: { authorization: 'Bearer wrong' } })).status,
        401,
        path,
      );
    }
    for (const path of ['/healthz', '/openapi.json'])
      assert.equal((await fetch(api.url + path)).status, 200, path);
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
    assert.equal(
      await rawGet(`${api.url}/v1/status`, { authorization, host: `localhost:${new URL(api.url).port}` }),
      200,
    );
  });
});

describe('what is wrong is said', () => {
  test('404 for what is not there', async () => {
    await using api = await openApi();
    const job = (await api.call('POST', '/v1/jobs', { spec: specOf() })).json.job;
    for (const path of [
      '/v1/jobs/last2',
      '/v1/nothing',
      `/v1/jobs/${job}/tasks/9`,
      '/v1/objects/jobs/x/spec.json',
      `/v1/objects/results/${job}/0/1.1-a/x`,
    ]) {
      const { status, json } = await api.call('GET', path);
      assert.deepEqual([status, json.error.code], [404, 'NOT_FOUND'], path);
    }
    assert.equal((await api.call('POST', '/v1/agents/nobody/drain', {})).status, 404);
  });

  test('400 with every problem for a body or query that does not fit', async () => {
    await using api = await openApi();
    const wrong = await api.call('POST', '/v1/jobs', { spec: { ...specOf(), name: '', priority: 1e6 } });
    assert.deepEqual(
      [wrong.status, wrong.json.error.code, wrong.json.error.context.problems.length],
      [400, 'INVALID_JOB', 2],
    );
    assert.match(wrong.json.error.message, /body\.spec\.name: .*body\.spec\.priority/);
    assert.equal((await api.call('GET', '/v1/jobs?limit=0')).json.error.code, 'USAGE');
    assert.equal((await api.call('GET', '/v1/jobs?state=odd')).status, 400);
    const broken = await fetch(`${api.url}/v1/jobs`, {
      method: 'POST',
      body: '{',
      headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
    });
    assert.equal(broken.status, 400);
    const xml = await fetch(`${api.url}/v1/jobs`, {
      method: 'POST',
      body: '<',
      headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'text/xml' },
    });
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
  const document = (await api.call('GET', '/openapi.json')).json as unknown as {
    paths: Record<string, Record<string, { requestBody?: unknown }>>;
  };
  const calls = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method} ${path}`),
  );
  for (const call of [
    'post /v1/jobs',
    'get /v1/jobs/{job}/wait',
    'put /v1/inputs/{sha256}',
    'get /v1/pools',
    'get /healthz',
  ])
    assert.ok(calls.includes(call), call);
  const body = document.paths['/v1/jobs']?.['post']?.requestBody as { content: object };
  assert.deepEqual(Object.keys(body.content), ['application/json', 'application/x-ndjson']);
});
