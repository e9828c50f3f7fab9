import assert from 'node:assert/strict';
import { existsSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { rebuildState, runCoordinator, type CoordinatorOptions } from '../../../coordinator/main.ts';
import type { JobView, SubmitReply } from '../../../coordinator/http/api.ts';
import { readText } from '../../../coordinator/services/read-segments.ts';
import { agentConfigSchema } from '../../../shared/agent-config.ts';
import { isCode } from '../../../shared/errors.ts';
import type { JobSpec } from '../../../shared/job-spec.ts';
import { openQueue, openStore } from '../../../shared/providers/open.ts';
import { temporaryDirectory } from '../../helpers/temporary.ts';
import { waitFor } from '../../helpers/wait.ts';
import { bodyOf, FakeAgent, specOf } from './services/rig.ts';

interface Running extends AsyncDisposable {
  url: string;
  ended: Promise<unknown>;
  call: <T>(method: string, path: string, body?: unknown) => Promise<T>;
}

const readJson = (file: string): unknown => JSON.parse(readFileSync(file, 'utf8'));

/** A coordinator in this process, stopped gracefully at the end of the block. */
async function running(home: string, options: Partial<CoordinatorOptions> = {}): Promise<Running> {
  const stop = new AbortController();
  const ended = runCoordinator({
    home,
    listen: '127.0.0.1:0',
    logTo: 'nowhere',
    signal: stop.signal,
    ...options,
  });
  const outcome = ended.catch((error: unknown) => error);
  const file = join(home, 'coordinator', 'endpoint.json');
  await waitFor('the endpoint is known', () => existsSync(file));
  const { url } = readJson(file) as { url: string };
  const token = readFileSync(join(home, 'coordinator', 'token'), 'utf8').trim();
  return {
    url,
    ended: outcome,
    async call<T>(method: string, path: string, body?: unknown) {
      const headers = {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      };
      const response = await fetch(url + path, {
        method,
        headers,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return (await response.json()) as T;
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await outcome;
    },
  };
}

const submit = async (coordinator: Running, spec: JobSpec): Promise<string> =>
  (await coordinator.call<SubmitReply>('POST', '/v1/jobs', { spec })).job;

const modeOf = (file: string): string => (statSync(file).mode & 0o777).toString(8);

describe('runCoordinator', () => {
  test('leaves what others need, readable for its owner alone, and cleans up behind itself', async () => {
    await using home = await temporaryDirectory();
    const file = (name: string): string => join(home.path, 'coordinator', name);
    {
      await using coordinator = await running(home.path);
      assert.equal(modeOf(file('token')), '600');
      assert.equal(modeOf(file('signing-key.pem')), '600');
      assert.equal(modeOf(join(home.path, 'coordinator')), '700');
      const agent = agentConfigSchema.parse(readJson(join(home.path, 'pools', 'local', 'agent.json')));
      assert.match(agent.publicKey, /BEGIN PUBLIC KEY/);
      const status = await coordinator.call<{ pid: number; epoch: number }>('GET', '/v1/status');
      assert.deepEqual([status.pid, status.epoch], [process.pid, 1]);
    }
    assert.equal(existsSync(file('endpoint.json')), false);
    const token = readFileSync(file('token'), 'utf8');
    {
      await using again = await running(home.path);
      assert.equal((await again.call<{ epoch: number }>('GET', '/v1/status')).epoch, 1);
    }
    assert.equal(readFileSync(file('token'), 'utf8'), token);
    const store = await openStore(`file:${join(home.path, 'store')}`);
    assert.match(await readText(store, 'coordinator/epoch.json'), /"stoppedAt":\d+/);
  });

  test('refuses a second one on the same directory', async () => {
    await using home = await temporaryDirectory();
    await using coordinator = await running(home.path);
    await assert.rejects(runCoordinator({ home: home.path, logTo: 'nowhere' }), (error) =>
      isCode(error, 'LOCKED'),
    );
    assert.equal((await fetch(`${coordinator.url}/healthz`)).status, 200);
  });

  test('takes a free port when its own is taken', async () => {
    await using home = await temporaryDirectory();
    await using other = await temporaryDirectory();
    await using first = await running(home.path);
    await using second = await running(other.path, { listen: new URL(first.url).host });
    assert.notEqual(second.url, first.url);
    assert.equal((await fetch(`${second.url}/healthz`)).status, 200);
  });

  test('stops when another coordinator has taken the store over', async () => {
    await using home = await temporaryDirectory();
    await using coordinator = await running(home.path, { settings: { epochCheck: 100 } });
    const store = await openStore(`file:${join(home.path, 'store')}`);
    await store.put(
      'coordinator/epoch.json',
      JSON.stringify({ epoch: 2, host: 'elsewhere', pid: 9, startedAt: 1, token: 'x' }),
    );
    assert.ok(isCode(await coordinator.ended, 'STALE_EPOCH'));
    await assert.rejects(runCoordinator({ home: home.path, logTo: 'nowhere' }), (error) =>
      isCode(error, 'STALE_EPOCH'),
    );
    await using again = await running(home.path, { takeOver: true });
    assert.equal((await again.call<{ epoch: number }>('GET', '/v1/status')).epoch, 3);
  });
});

describe('rebuildState', () => {
  test('brings back what was done and goes on with the rest', async () => {
    await using home = await temporaryDirectory();
    let job = '';
    {
      await using coordinator = await running(home.path);
      job = await submit(coordinator, specOf({ tasks: { kind: 'count', count: 2 } }));
      await endTask(home.path, 0);
      await waitFor(
        'one task is done',
        async () => (await coordinator.call<JobView>('GET', `/v1/jobs/${job}`)).counts.succeeded === 1,
      );
      await assert.rejects(rebuildState({ home: home.path, logTo: 'nowhere' }), (error) =>
        isCode(error, 'LOCKED'),
      );
    }
    await assert.rejects(rebuildState({ home: home.path, logTo: 'nowhere' }), /Use --force/);
    for (const suffix of ['', '-wal', '-shm'])
      rmSync(join(home.path, 'coordinator', `state.sqlite${suffix}`), { force: true });
    await assert.rejects(runCoordinator({ home: home.path, logTo: 'nowhere' }), /clobi coordinator rebuild/);
    assert.deepEqual(await rebuildState({ home: home.path, logTo: 'nowhere' }), {
      jobs: 1,
      tasks: 2,
      open: 1,
      lost: 0,
      leftOut: [],
    });
    await using coordinator = await running(home.path);
    const view = await coordinator.call<JobView>('GET', `/v1/jobs/${job}`);
    assert.deepEqual([view.counts.succeeded, view.tasks], [1, 2]);
    await endTask(home.path, 1);
    await waitFor(
      'the other is done',
      async () => (await coordinator.call<JobView>('GET', `/v1/jobs/${job}`)).state === 'succeeded',
    );
    assert.equal((await coordinator.call<{ epoch: number }>('GET', '/v1/status')).epoch, 2);
  });

  /** A made-up agent takes units until it has the task, and ends it. */
  async function endTask(home: string, index: number): Promise<void> {
    const config = agentConfigSchema.parse(readJson(join(home, 'pools', 'local', 'agent.json')));
    const units = await openQueue(config.unitsQueue);
    const events = await openQueue(config.eventsQueue);
    const agent = new FakeAgent(`agent-${String(index)}`);
    try {
      await events.send([JSON.stringify(agent.hello(1))]);
      const outcome = await waitFor('the task arrives', async () => {
        const deliveries = await units.receive({ max: 10, waitMs: 1000, leaseMs: 60_000 });
        const unit = deliveries
          .map(({ body }) => bodyOf(body))
          .find(({ tasks }) => tasks.some((task) => task.index === index));
        return unit && agent.outcome(unit, index);
      });
      const segment = `segments/local/${agent.agent}/${agent.boot}/0000000001.ndjson`;
      await (await openStore(config.store)).put(segment, `${JSON.stringify(outcome)}\n`);
      await events.send([JSON.stringify(agent.batch({ type: 'outcome', segment, outcomes: [outcome] }))]);
    } finally {
      await Promise.all([units.close(), events.close()]);
    }
  }
});
