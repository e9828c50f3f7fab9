import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { pause } from '../../shared/clock.ts';
import type { Fault } from '../helpers/fault-proxy.ts';
import { skewedClock } from '../helpers/skewed-clock.ts';
import { type Service, startEmulators, ThreeClouds } from '../helpers/three-clouds.ts';
import { waitFor } from '../helpers/wait.ts';

/** What networks, busy clouds and clocks do in the middle of a job over three pools. Nothing here is dead: see `dark.test.ts`. */
const TASKS = 90;
const SPELL_MS = 20_000;

const emulators = await startEmulators();
after(() => Promise.all([emulators.aws[Symbol.asyncDispose](), emulators.azure[Symbol.asyncDispose]()]));

type Faults = Record<Service, Fault | ((asked: { operation: string }) => Fault | undefined)>;
type Refusals = Record<Service, Fault>;

/** The answers of AWS by its two protocols, and of Azure, to a request that they refuse. */
function refusals(status: number, codes: { sqs: string; s3: string; azure: string }): Refusals {
  const xml = (code: string) =>
    `<?xml version="1.0"?><Error><Code>${code}</Code><Message>No.</Message></Error>`;
  const azure: Fault = {
    kind: 'status',
    status,
    headers: { 'x-ms-error-code': codes.azure },
    body: xml(codes.azure),
  };
  return {
    sqs: {
      kind: 'status',
      status,
      headers: { 'content-type': 'application/x-amz-json-1.0' },
      body: JSON.stringify({ __type: `com.amazonaws.sqs#${codes.sqs}`, message: 'No.' }),
    },
    s3: { kind: 'status', status, body: xml(codes.s3) },
    azureQueue: azure,
    azureBlob: azure,
  };
}

const everywhere = (fault: Faults[Service]): Faults => ({
  sqs: fault,
  s3: fault,
  azureQueue: fault,
  azureBlob: fault,
});

/** One request in so many meets it. */
function oneIn(count: number, fault: Fault): Faults[Service] {
  let seen = 0;
  return () => ((seen += 1) % count === 0 ? fault : undefined);
}

/** Credentials that have run out while objects are written: what is read, and the queues, go on. */
function expiredForWrites(): Partial<Faults> {
  const { s3, azureBlob } = refusals(403, { sqs: '', s3: 'ExpiredToken', azure: 'AuthenticationFailed' });
  const onWrites =
    (fault: Fault): Faults[Service] =>
    ({ operation }) =>
      operation === 'PUT' ? fault : undefined;
  return { s3: onWrites(s3), azureBlob: onWrites(azureBlob) };
}

interface Case {
  name: string;
  faults: () => Partial<Faults>;
  /** It passes after that time; else it stays till the end. */
  spellMs?: number;
}

const CASES: readonly Case[] = [
  {
    name: '20 s of throttling',
    faults: () => refusals(503, { sqs: 'RequestThrottled', s3: 'SlowDown', azure: 'ServerBusy' }),
    spellMs: SPELL_MS,
  },
  { name: 'lost answers', faults: () => everywhere(oneIn(10, { kind: 'lose-answer' })) },
  { name: '20 s of half-open connections', faults: () => everywhere({ kind: 'silent' }), spellMs: SPELL_MS },
  { name: '400 ms of latency', faults: () => everywhere({ kind: 'delay', ms: 400 }) },
  { name: 'credentials that expire in the middle of uploads', faults: expiredForWrites, spellMs: SPELL_MS },
];

const job = {
  command: ['sh', '-c', 'sleep 0.2; echo "$CLOBI_TASK_INDEX" > out.txt'],
  outputs: [{ glob: 'out.txt', required: true }],
  tasks: { kind: 'count' as const, count: TASKS },
  retry: { lost: 20, backoff: { initialMs: 50, factor: 2, maxMs: 500 } },
};

async function ranEverywhere({ cluster }: ThreeClouds, id: string): Promise<boolean> {
  const tasks = await cluster.tasks(id);
  return new Set(tasks.filter(({ state }) => state === 'succeeded').map(({ pool }) => pool)).size === 3;
}

/** All succeed, each with one visible result, whatever else there was. */
async function assertWhole(clouds: ThreeClouds, id: string): Promise<void> {
  const view = await clouds.cluster.over(id, 240_000);
  assert.equal(view.counts.succeeded, TASKS);
  for (const proxy of Object.values(clouds.proxies)) proxy.set({ kind: 'none' });
  await clouds.cluster.observe(id);
  assert.deepEqual(await clouds.cluster.violations({ copiesAllowed: true }, clouds.storeUrls()), []);
}

describe('in the middle of a job over three pools', { concurrency: 3 }, () => {
  for (const { name, faults, spellMs } of CASES)
    it(name, { timeout: 400_000 }, async () => {
      await using clouds = await ThreeClouds.create({ holdDown: 2_000 }, emulators);
      await clouds.start();
      const id = await clouds.cluster.submit(job);
      await waitFor('every pool has run a task', () => ranEverywhere(clouds, id), 120_000);
      const chosen = Object.entries(faults()) as [Service, Faults[Service]][];
      for (const [service, fault] of chosen) clouds.proxies[service].set(fault);
      if (spellMs !== undefined) {
        await pause(spellMs);
        for (const [service] of chosen) clouds.proxies[service].set({ kind: 'none' });
      }
      await assertWhole(clouds, id);
      for (const [service] of chosen)
        assert.ok(clouds.proxies[service].harmed > 0, `${service} met the fault`);
    });

  it('clocks 20 minutes off', { timeout: 400_000 }, async () => {
    await using clouds = await ThreeClouds.create({}, emulators);
    await clouds.start({ envOf: (pool) => skewedClock(pool === 'aws' ? 20 : -20) });
    const id = await clouds.cluster.submit(job);
    await waitFor('every pool has run a task', () => ranEverywhere(clouds, id), 120_000);
    await assertWhole(clouds, id);
  });
});
