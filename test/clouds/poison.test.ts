import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { AgentView } from '../../coordinator/http/api.ts';
import { isCode } from '../../shared/errors.ts';
import type { JobId } from '../../shared/ids.ts';
import { openQueue, openStore } from '../../shared/providers/open.ts';
import type { Queue } from '../../shared/providers/ports.ts';
import { overKey } from '../../shared/wire/keys.ts';
import { newKeyPair, seal, signerOf, unseal } from '../../shared/wire/signature.ts';
import { diesAt } from '../helpers/process.ts';
import { ThreeClouds } from '../helpers/three-clouds.ts';
import { waitFor } from '../helpers/wait.ts';

test('what is no unit of ours runs nothing, is counted and shown, and the agent lives', async () => {
  await using clouds = await ThreeClouds.create();
  const { cluster } = clouds;
  await cluster.startCoordinator();
  const marks = join(cluster.home, 'marks');
  await writeFile(marks, '');
  const mark = ['sh', '-c', `echo ran >> '${marks}'`];

  for (const pool of ['aws', 'azure']) {
    const queue = await openQueue(
      (pool === 'aws' ? clouds.aws : clouds.azure).queueUrl(`${clouds.ns}-${pool}-units`),
    );
    const { job: cancelled, message: genuine } = await takenFrom(queue, clouds, { pool, command: mark });
    await cluster.call('POST', `/v1/jobs/${cancelled}/cancel`, {});
    cluster.startAgent(`at-${pool}`, { pool, slots: 1 });
    await agentOf(clouds, pool, () => true);
    const sent = await Promise.all(poisons(genuine).map((body) => wasSent(queue, body)));
    const nonsense = sent.filter(Boolean).length;
    assert.equal(nonsense, pool === 'aws' ? 7 : 6, 'Azure takes no more than 48 KiB');
    await agentOf(clouds, pool, (agent) => agent.rejected === nonsense);
    // The very message of a job that was cancelled.
    assert.ok(await wasSent(queue, genuine));
    await waitFor('it is handed back and counted', async () =>
      (await metricsOf(clouds)).includes(`clobi_units_handed_back_total{pool="${pool}",why="revoked"} 1`),
    );
    const job = await cluster.submit({ command: ['true'], placement: { require: { pools: [pool] } } });
    assert.equal((await cluster.over(job)).counts.succeeded, 1, 'the agent works on');
    await waitFor('the queue is empty', async () => (await queue.depth()) === 0);
    await queue.close();
  }
  assert.equal(await readFile(marks, 'utf8'), '', 'nothing of it ran');
});

test('the message of a job that succeeded is not run by an agent that never met it: it is counted, shown and deleted', async () => {
  await using clouds = await ThreeClouds.create();
  const { cluster } = clouds;
  await cluster.startCoordinator();
  const runs = join(cluster.home, 'runs');
  const command = ['sh', '-c', `echo ran >> '${runs}'`];

  for (const [pool, storeUrl] of [
    ['aws', clouds.storeUrls()[1] ?? ''],
    ['azure', clouds.storeUrls()[2] ?? ''],
  ] as const) {
    const queue = await openQueue(clouds[pool].queueUrl(`${clouds.ns}-${pool}-units`));
    const { job, message } = await takenFrom(queue, clouds, { pool, command });
    const runner = cluster.startAgent(`runner-at-${pool}`, { pool, slots: 1 });
    assert.ok(await wasSent(queue, message));
    assert.equal((await cluster.over(job)).counts.succeeded, 1);
    await runner.stop();
    const store = await openStore(storeUrl);
    await waitFor(
      'it is marked as over',
      async () => (await store.head(overKey(job as JobId))) !== undefined,
    );

    cluster.startAgent(`at-${pool}`, { pool, slots: 1 });
    await agentOf(clouds, pool, () => true);
    assert.ok(await wasSent(queue, message));
    await agentOf(clouds, pool, (agent) => agent.rejected === 1);
    await waitFor('the queue is empty', async () => (await queue.depth()) === 0);
    const { attempts } = await cluster.task(job, 0);
    assert.equal(attempts?.length, 1, 'nothing of it is seen');
    await queue.close();
  }
  assert.equal(await readFile(runs, 'utf8'), 'ran\nran\n', 'once in each cloud');
});

/** A job of one task for the pool, and its message, which is in the queue no more; no agent has begun it. */
async function takenFrom(
  queue: Queue,
  { cluster }: ThreeClouds,
  { pool, command }: { pool: string; command: string[] },
): Promise<{ job: string; message: string }> {
  const job = await cluster.submit({ command, placement: { require: { pools: [pool] } } });
  const agent = cluster.startAgent(`first-at-${pool}`, {
    pool,
    slots: 1,
    env: { CLOBI_FAULT: 'take.after-receive' },
  });
  await diesAt(agent, 'take.after-receive');
  const [delivery] = await waitFor('the message is there again', async () => {
    const got = await queue.receive({ max: 1, waitMs: 1_000, leaseMs: 60_000 });
    return got.length > 0 && got;
  });
  await delivery?.done();
  return { job, message: delivery?.body ?? '' };
}

/** One of each kind. */
function poisons(genuine: string): string[] {
  const { body, signature } = unseal(genuine) ?? { body: '', signature: '' };
  const stranger = signerOf(newKeyPair().privateKey);
  const forged = (change: Record<string, unknown>): string => {
    const text = JSON.stringify({ ...(JSON.parse(body) as object), ...change });
    return seal(text, stranger(text));
  };
  return [
    'no JSON at all',
    seal(body, stranger(body)),
    seal(body.replace('"v":1', '"v":2'), signature),
    forged({ v: 99 }),
    forged({ spec: { key: '../../other/store', sha256: '0'.repeat(64) } }),
    'x'.repeat(64 * 1024 + 1),
    seal(`${body}${' '.repeat(48 * 1024 - body.length - signature.length - 1)}`, signature),
  ];
}

/** False for what is bigger than the queue takes; all else must be sent. */
async function wasSent(queue: Queue, body: string): Promise<boolean> {
  const [result] = await queue.send([body]);
  if (result?.ok === false) assert.ok(isCode(result.cause, 'LIMIT_EXCEEDED'), String(result.cause));
  return result?.ok === true;
}

const agentOf = (
  { cluster }: ThreeClouds,
  pool: string,
  is: (agent: AgentView) => boolean,
): Promise<AgentView> =>
  waitFor(`the agent of ${pool}`, async () => {
    const { agents } = await cluster.get<{ agents: AgentView[] }>('/v1/agents');
    return agents.find((agent) => agent.agent === `at-${pool}` && is(agent));
  });

async function metricsOf({ cluster }: ThreeClouds): Promise<string> {
  const { url } = (await cluster.endpoint()) ?? { url: '' };
  const token = (await readFile(join(cluster.home, 'coordinator', 'token'), 'utf8')).trim();
  return (await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${token}` } })).text();
}
