import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { describe, test } from 'node:test';
import { Janitor } from '../../../../coordinator/services/janitor.ts';
import { rebuildState, stateFile } from '../../../../coordinator/services/rebuild.ts';
import { allStores, storeOfPool } from '../../../../coordinator/services/stores.ts';
import { openState } from '../../../../coordinator/state/open.ts';
import { silentLogger } from '../../../../shared/log.ts';
import { openApi, TOKEN } from '../http/rig.ts';
import { runIn } from './cloud-run.ts';
import { makeRig, specOf } from './rig.ts';

describe('what ran in a pool with its own store', () => {
  test('is listed with its pool, and read from there: outputs, ranges of them, logs', async () => {
    await using api = await openApi({ clouds: ['north'] });
    const { context } = api.rig;
    const job = await runIn(context, 'north', specOf());
    const { outputs } = (await api.call('GET', `/v1/jobs/${job}/outputs`)).json as unknown as {
      outputs: { key: string; pool: string }[];
    };
    assert.deepEqual(
      outputs.map(({ pool }) => pool),
      ['north'],
    );
    const path = `/v1/objects/${outputs[0]!.key}`;
    assert.equal((await api.call('GET', path)).text, '0 of north');
    assert.equal((await api.call('GET', `/v1/jobs/${job}/tasks/0/logs/stdout`)).text, 'printed in north');
    assert.equal((await api.call('GET', `/v1/jobs/${job}/tasks/0`)).text.includes('"pool":"north"'), true);
    const part = await fetch(api.url + path, {
      headers: { authorization: `Bearer ${TOKEN}`, range: 'bytes=5-' },
    });
    assert.equal(part.status, 206);
    assert.equal(part.headers.get('content-range'), 'bytes 5-9/10');
    assert.equal(await part.text(), 'north');
    assert.equal(await context.store.head(outputs[0]!.key), undefined, 'it was never in the primary store');
  });

  test('is cleaned up there, and a store that does not answer keeps no other from it', async () => {
    await using rig = await makeRig({}, { clouds: ['north', 'south'] });
    const { context } = rig;
    const retention = { resultsMs: 1000, logsMs: null };
    const job = await runIn(context, 'south', specOf({ retention }));
    const north = context.pools[1]!.store;
    const south = context.pools[2]!.store;
    rig.clock.ms += 2000;
    const list = north.list.bind(north);
    north.list = () => Promise.reject(new Error('down'));
    const janitor = new Janitor(context);
    await janitor.runOnce();
    assert.deepEqual(await south.list(`results/${job}/`), []);
    assert.equal((await south.list(`logs/${job}/`)).length, 1);
    north.list = list;
    await north.put(`results/${job}/0/1.9-late/out`, 'late');
    await janitor.runOnce();
    assert.deepEqual(await north.list(`results/${job}/`), [], 'asked again once it answers');
  });

  test('is found again by a rebuild', async () => {
    await using rig = await makeRig({}, { clouds: ['north'] });
    const { context } = rig;
    const job = await runIn(context, 'north', specOf({ tasks: { kind: 'count', count: 3 } }));
    const before = context.state.outputs(job, { limit: 10 });
    context.state.close();
    rmSync(stateFile(context.config.home));
    await rebuildState({ config: context.config, log: silentLogger });
    const state = openState(stateFile(context.config.home));
    assert.deepEqual(state.outputs(job, { limit: 10 }), before);
    assert.equal(before.outputs[0]?.pool, 'north');
    state.close();
  });
});

test('a pool that is configured no more is named in the error', async () => {
  await using rig = await makeRig({}, { clouds: ['north'] });
  assert.throws(() => storeOfPool(rig.context, 'gone'), /pool "gone".*configured no more/);
  assert.equal(storeOfPool(rig.context, '').store, rig.context.store);
  assert.deepEqual(
    allStores(rig.context).map(({ store }) => store),
    [rig.context.store, rig.context.pools[1]!.store],
  );
});
