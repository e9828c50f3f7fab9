import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { describe, test } from 'node:test';
import { explainTask } from '../../../../coordinator/http/explain.ts';
import type { ApiContext } from '../../../../coordinator/http/server.ts';
import type { FileInput, JobSpec } from '../../../../shared/job-spec.ts';
import { inputKey, specKey } from '../../../../shared/wire/keys.ts';
import { waitFor } from '../../../helpers/wait.ts';
import { runIn } from './cloud-run.ts';
import { handsOn } from './hands.ts';
import { FakeAgent, makeRig, type Rig, specOf, takeUnits } from './rig.ts';

const sha256 = (content: string): string => createHash('sha256').update(content).digest('hex');
const inputOf = (content: string, to = 'in'): FileInput => ({
  to,
  sha256: sha256(content),
  sizeBytes: Buffer.byteLength(content),
  executable: false,
  unpack: false,
});
const inPool = (pool: string): Partial<JobSpec> => ({
  placement: { require: { pools: [pool] }, prefer: {} },
});

interface Cloud extends AsyncDisposable {
  rig: Rig;
  north: ReturnType<typeof handsOn>;
  pool: Rig['pool'];
}

/** A pool with a store of its own and an agent, driven by hand. */
async function cloud(): Promise<Cloud> {
  const rig = await makeRig({}, { clouds: ['north', 'south'] });
  const pool = rig.context.pools[1]!;
  const north = handsOn(rig, pool);
  await north.say(new FakeAgent('n', 'n-boot', 'north').hello());
  return {
    rig,
    north,
    pool,
    async [Symbol.asyncDispose]() {
      await north.stager.stop();
      await rig[Symbol.asyncDispose]();
    },
  };
}

/** Sends until as many units have come as are wanted. */
async function unitsSent({ north, pool }: Pick<Cloud, 'north' | 'pool'>, count: number) {
  const units: Awaited<ReturnType<typeof takeUnits>> = [];
  while (north.dispatcher.runOnce());
  await waitFor(`${count} units are sent`, async () => {
    await north.sender.runOnce();
    units.push(...(await takeUnits(pool)));
    return units.length >= count;
  });
  return units;
}

describe('before a unit goes to a pool with its own store', () => {
  test('its inputs are there, each content once, and units that need nothing pass it', async () => {
    await using at = await cloud();
    const { rig, north, pool } = at;
    const { store } = rig.context;
    await store.put(inputKey(sha256('data')), 'data');
    let open: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    let reads = 0;
    const get = store.get.bind(store);
    store.get = async (key, options) => {
      if (key.startsWith('inputs/')) {
        reads += 1;
        await gate;
      }
      return get(key, options);
    };
    const waiting = await north.submit(specOf({ ...inPool('north'), inputs: [inputOf('data')] }));
    const another = await north.submit(specOf({ ...inPool('north'), inputs: [inputOf('data', 'b')] }));
    const free = await north.submit(specOf(inPool('north')));
    const [first] = await unitsSent(at, 1);
    assert.equal(first?.job, free);
    assert.equal(await north.sender.runOnce(), false);
    assert.match(explain(rig, waiting), /1 input .* on the way to the store of pool north/);
    open();
    const rest = await unitsSent(at, 2);
    assert.deepEqual(rest.map(({ job }) => job).sort(), [waiting, another].sort());
    assert.equal(reads, 1, 'two units wanted the same');
    assert.equal(await text((await pool.store.get(inputKey(sha256('data'))))!.body), 'data');
    assert.match(explain(rig, waiting), /in the queue of pool north/);
  });

  test('a spec and parameters too big for the message are there as well', async () => {
    await using at = await cloud();
    const job = await at.north.submit(specOf({ ...inPool('north'), description: 'x'.repeat(60_000) }));
    const [unit] = await unitsSent(at, 1);
    assert.ok(unit !== undefined && 'key' in unit.spec);
    const stored = await text((await at.pool.store.get(specKey(job)))!.body);
    assert.equal(sha256(stored), unit.spec.sha256);
  });

  test('what cannot be brought is told, left alone for a while, and brought when it can be', async () => {
    await using at = await cloud();
    const { rig, north } = at;
    const job = await north.submit(specOf({ ...inPool('north'), inputs: [inputOf('late')] }));
    while (north.dispatcher.runOnce());
    await waitFor('it fails', async () => {
      await north.sender.runOnce();
      return /could not be brought/.test(explain(rig, job));
    });
    assert.match(explain(rig, job), /inputs\/.* could not be brought .*no object.* tried 1 time /);
    await rig.context.store.put(inputKey(sha256('late')), 'late');
    assert.equal(await north.sender.runOnce(), false, 'its pause is not over');
    rig.clock.ms += 1_000;
    assert.equal((await unitsSent(at, 1))[0]?.job, job);
  });

  test('bytes that are not what their name says get into no other store', async () => {
    await using at = await cloud();
    const { rig, north, pool } = at;
    await rig.context.store.put(inputKey(sha256('good')), 'evil');
    const job = await north.submit(specOf({ ...inPool('north'), inputs: [inputOf('good')] }));
    while (north.dispatcher.runOnce());
    await waitFor('it fails', async () => {
      await north.sender.runOnce();
      return /SHA-256/.test(explain(rig, job));
    });
    assert.equal(await pool.store.head(inputKey(sha256('good'))), undefined);
  });

  test('a new life asks once for what was brought, and brings it again when it is gone', async () => {
    await using at = await cloud();
    const { rig, north, pool } = at;
    await rig.context.store.put(inputKey(sha256('data')), 'data');
    const spec = specOf({ ...inPool('north'), inputs: [inputOf('data')] });
    await north.submit(spec);
    await unitsSent(at, 1);
    const put = pool.store.put.bind(pool.store);
    let puts = 0;
    pool.store.put = (...call) => {
      puts += 1;
      return put(...call);
    };
    await north.submit(spec);
    await unitsSent({ pool, north: handsOn(rig, pool) }, 1);
    assert.equal(puts, 0);
    await pool.store.remove([inputKey(sha256('data'))]);
    await north.submit(spec);
    await unitsSent({ pool, north: handsOn(rig, pool) }, 1);
    assert.equal(puts, 1);
  });

  test('a unit that is cancelled while it waits is not sent', async () => {
    await using at = await cloud();
    const { rig, north } = at;
    const job = await north.submit(specOf({ ...inPool('north'), inputs: [inputOf('late')] }));
    while (north.dispatcher.runOnce());
    await north.sender.runOnce();
    rig.context.state.cancel(job, null, 'no more', rig.clock.ms);
    await rig.context.store.put(inputKey(sha256('late')), 'late');
    rig.clock.ms += 10_000;
    const other = await north.submit(specOf(inPool('north')));
    assert.equal((await unitsSent(at, 1))[0]?.job, other);
    assert.equal(await north.sender.runOnce(), false);
  });
});

describe('outputs of an upstream job', () => {
  const downstream = (job: string, pool: string): JobSpec =>
    specOf({
      ...inPool(pool),
      depends: [{ job, after: 'success', by: 'job' }],
      upstreamInputs: [{ job, glob: '**', to: 'up' }],
    });

  test('come along from the store of the pool where they were made', async () => {
    await using at = await cloud();
    const made = await runIn(at.rig.context, 'south', specOf());
    await at.north.submit(downstream(made, 'north'));
    const [unit] = await unitsSent(at, 1);
    const [input] = unit!.tasks[0]!.params!.inputs!;
    assert.equal(input?.key, undefined);
    assert.equal(await text((await at.pool.store.get(inputKey(input!.sha256)))!.body), '0 of south');
  });

  test('stay where they are for a task of the same pool', async () => {
    await using at = await cloud();
    const made = await runIn(at.rig.context, 'north', specOf());
    await at.north.submit(downstream(made, 'north'));
    const [unit] = await unitsSent(at, 1);
    assert.match(unit!.tasks[0]!.params!.inputs![0]!.key ?? '', /^results\//);
    assert.deepEqual(await at.pool.store.list('inputs/'), []);
  });

  test('come to the primary store too, for a pool that uses it', async () => {
    await using at = await cloud();
    const { rig } = at;
    const made = await runIn(rig.context, 'north', specOf());
    const local = handsOn(rig);
    await local.say(new FakeAgent('l').hello());
    const job = await local.submit(downstream(made, 'local'));
    const [unit] = await unitsSent({ north: local, pool: rig.pool }, 1);
    assert.equal(unit?.job, job);
    assert.ok(await rig.context.store.head(inputKey(sha256('0 of north'))));
  });
});

const explain = (rig: Rig, job: string): string =>
  explainTask(rig.context as ApiContext, job as never, 0).summary;
