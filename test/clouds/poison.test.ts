import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { AgentView } from '../../coordinator/http/api.ts';
import { isCode } from '../../shared/errors.ts';
import { openQueue } from '../../shared/providers/open.ts';
import type { Queue } from '../../shared/providers/ports.ts';
import { newKeyPair, seal, signerOf, unseal } from '../../shared/wire/signature.ts';
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
    const genuine = await messageOf(clouds, queue, { pool, command: mark });
    cluster.startAgent(`at-${pool}`, { pool, slots: 1 });
    await agentOf(clouds, pool, () => true);
    const sent = await Promise.all(poisons(genuine).map((body) => wasSent(queue, body)));
    const nonsense = sent.filter(Boolean).length;
    assert.equal(nonsense, pool === 'aws' ? 7 : 6, 'Azure takes no more than 48 KiB');
    await agentOf(clouds, pool, (agent) => agent.rejected >= nonsense);
    // The very message of a job that is over: revoked, handed back, and not run again.
    assert.ok(await wasSent(queue, genuine));
    const job = await cluster.submit({ command: ['true'], placement: { require: { pools: [pool] } } });
    assert.equal((await cluster.over(job)).counts.succeeded, 1, 'the agent works on');
    await waitFor('the queue is empty', async () => (await queue.depth()) === 0);
    await queue.close();
  }
  assert.equal(await readFile(marks, 'utf8'), '', 'nothing of it ran');
});

/** The message of a job that was sent to the pool and cancelled before any agent was there. */
async function messageOf(
  { cluster }: ThreeClouds,
  queue: Queue,
  { pool, command }: { pool: string; command: string[] },
): Promise<string> {
  const job = await cluster.submit({ command, placement: { require: { pools: [pool] } } });
  const agent = cluster.startAgent(`first-at-${pool}`, {
    pool,
    slots: 1,
    env: { CLOBI_FAULT: 'take.after-receive' },
  });
  await agent.exited;
  const deliveries = await waitFor('the message is there again', async () => {
    const got = await queue.receive({ max: 1, waitMs: 1_000, leaseMs: 60_000 });
    return got.length > 0 && got;
  });
  const [delivery] = deliveries;
  await cluster.call('POST', `/v1/jobs/${job}/cancel`, {});
  await delivery?.done();
  return delivery?.body ?? '';
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
