import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { describe, test } from 'node:test';
import { explainTask } from '../../../../coordinator/http/explain.ts';
import type { ApiContext } from '../../../../coordinator/http/server.ts';
import { placeOf } from '../../../../coordinator/services/places.ts';
import { rebuildState, stateFile } from '../../../../coordinator/services/rebuild.ts';
import { openState } from '../../../../coordinator/state/open.ts';
import { silentLogger } from '../../../../shared/log.ts';
import type { JobSpec, RemoteInput } from '../../../../shared/job-spec.ts';
import type { UnitBody } from '../../../../shared/wire/unit.ts';
import { inputKey } from '../../../../shared/wire/keys.ts';
import { serveTls } from '../../../helpers/tls-server.ts';
import { waitFor } from '../../../helpers/wait.ts';
import { sha256 } from './cloud-run.ts';
import { handsOn } from './hands.ts';
import { FakeAgent, makeRig, type Rig, specOf, takeUnits } from './rig.ts';

const remote = (url: string, change: Partial<RemoteInput> = {}): JobSpec =>
  specOf({ remoteInputs: [{ url, to: null, sha256: null, unpack: false, ...change }] });

async function unitOf(rig: Rig, hands: ReturnType<typeof handsOn>): Promise<UnitBody> {
  const units: UnitBody[] = [];
  while (hands.dispatcher.runOnce());
  await waitFor('the unit is sent', async () => {
    await hands.sender.runOnce();
    units.push(...(await takeUnits(rig.pool)));
    return units.length > 0;
  });
  return units[0]!;
}

const explain = (rig: Rig, job: string): string =>
  explainTask(rig.context as ApiContext, job as never, 0).summary;

describe('an input by reference', () => {
  test('is read once for the job, and every task gets what was read then', async () => {
    let asked = 0;
    await using server = await serveTls((request, response) => {
      if (request.url === '/moved') response.writeHead(302, { location: '/data.txt' }).end();
      else response.end(`reading ${(asked += 1)}`);
    });
    await using rig = await makeRig();
    const hands = handsOn(rig);
    await hands.say(new FakeAgent('a').hello());
    const job = await hands.submit({
      ...remote(`${server.url}/moved`, { to: 'in/' }),
      tasks: { kind: 'count', count: 2 },
    });
    const unit = await unitOf(rig, hands);
    const hash = sha256('reading 1');
    for (const { params } of unit.tasks)
      assert.deepEqual(params?.inputs, [
        { to: 'in/moved', sha256: hash, sizeBytes: 9, executable: false, unpack: false },
      ]);
    assert.ok(await rig.context.store.head(inputKey(hash)));
    assert.equal(asked, 1);
    const { state, config } = rig.context;
    const known = { sha256: hash, sizeBytes: 9 };
    assert.deepEqual(state.fetched(job, `${server.url}/moved`), known);
    state.close();
    rmSync(stateFile(config.home));
    await rebuildState({ config, log: silentLogger });
    const rebuilt = openState(stateFile(config.home));
    assert.deepEqual(rebuilt.fetched(job, `${server.url}/moved`), known, 'a rebuild remembers it');
    rebuilt.close();
  });

  test('with a checksum that we have is not read at all; with one that it has not is refused', async () => {
    let asked = 0;
    await using server = await serveTls((_request, response) => {
      asked += 1;
      response.end('bad');
    });
    await using rig = await makeRig();
    const hands = handsOn(rig);
    await hands.say(new FakeAgent('a').hello());
    await rig.context.store.put(inputKey(sha256('good')), 'good');
    await hands.submit(remote(`${server.url}/x`, { sha256: sha256('good') }));
    await unitOf(rig, hands);
    assert.equal(asked, 0);
    const job = await hands.submit(remote(`${server.url}/x`, { sha256: sha256('other') }));
    while (hands.dispatcher.runOnce());
    await waitFor('it is refused', async () => {
      await hands.sender.runOnce();
      return explain(rig, job).includes('SHA-256');
    });
    assert.match(
      explain(rig, job),
      /https:\/\/localhost.*\/x could not be brought .* not [0-9a-f]{64} as the job says/,
    );
  });

  test('never leads away from https, nor in a circle, and says what the server answered', async () => {
    await using server = await serveTls((request, response) => {
      if (request.url === '/plain') response.writeHead(302, { location: 'http://127.0.0.1/secret' }).end();
      else if (request.url === '/circle') response.writeHead(302, { location: '/circle' }).end();
      else response.writeHead(404).end();
    });
    await using rig = await makeRig();
    const hands = handsOn(rig);
    await hands.say(new FakeAgent('a').hello());
    for (const [path, why] of [
      ['/plain', /only https is followed/],
      ['/circle', /redirects more than 5 times/],
      ['/gone', /HTTP status 404/],
    ] as const) {
      const job = await hands.submit(remote(server.url + path));
      while (hands.dispatcher.runOnce());
      await waitFor(`${path} fails`, async () => {
        await hands.sender.runOnce();
        return why.test(explain(rig, job));
      });
    }
  });
});

test('a place that a job names is opened with a configured store’s rights, never with its own choice', async () => {
  await using rig = await makeRig({}, { clouds: ['north'] });
  const pools = rig.context.config.pools.map((config) =>
    config.name === 'north'
      ? { ...config, store: 's3://ours/x?endpoint=http%3A%2F%2F127.0.0.1%3A9&region=eu-1&credentials=env' }
      : config,
  );
  const at = {
    ...rig.context,
    pools: rig.context.pools.map((pool, place) => ({ ...pool, config: pools[place]! })),
  };
  const endpoint = 'endpoint=http://127.0.0.1:9';
  assert.deepEqual(placeOf(at, `s3://theirs/a/b%23c?${endpoint}`), {
    store: 's3://theirs?endpoint=http%3A%2F%2F127.0.0.1%3A9&region=eu-1&credentials=env',
    path: 'a/b#c',
  });
  assert.deepEqual(placeOf(at, 's3://theirs/a'), { store: 's3://theirs', path: 'a' });
  assert.deepEqual(placeOf(at, 'azblob://account/container/a/b'), {
    store: 'azblob://account/container',
    path: 'a/b',
  });
  const refused: [string, RegExp][] = [
    ['s3://theirs/a?endpoint=http://evil.example', /no store in clobi.yaml uses the endpoint/],
    [`s3://theirs/a?${endpoint}&credentials=instance`, /may not choose credentials/],
    ['file:/etc/passwd', /cannot be used in a job/],
    ['sqs://region/queue', /must begin with s3/],
  ];
  for (const [url, why] of refused) assert.throws(() => placeOf(at, url), why);
});
