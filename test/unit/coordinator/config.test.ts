import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { environmentName, loadConfig } from '../../../coordinator/config.ts';
import { SETTINGS } from '../../../coordinator/config-settings.ts';
import { ClobiError } from '../../../shared/errors.ts';
import { temporaryDirectory } from '../../helpers/temporary.ts';

const refused = (part: RegExp) => (error: unknown) => {
  assert.ok(error instanceof ClobiError);
  assert.equal(error.code, 'INVALID_CONFIG');
  assert.match(error.message, part);
  return true;
};

describe('loadConfig', () => {
  test('fills in every default and one local pool, frozen through and through', async () => {
    await using home = await temporaryDirectory();
    const config = loadConfig({ home: home.path });
    assert.equal(config.heartbeatMs, 2000);
    assert.equal(config.deadMs, 15_000);
    assert.equal(config.patienceMs, 120_000);
    assert.equal(config.notAfterMs, 7 * 86_400_000);
    assert.deepEqual(
      config.pools.map(({ name, provider }) => [name, provider]),
      [['local', 'local']],
    );
    assert.equal(config.pools[0]?.unitsQueue, `local-queue:${home.path}/queues/clobi-local-units.sqlite`);
    assert.ok(Object.isFrozen(config) && Object.isFrozen(config.pools[0]));
  });

  test('flags win over the environment, that over the file, that over defaults', async () => {
    await using home = await temporaryDirectory();
    await writeFile(join(home.path, 'clobi.yaml'), 'dead: 20s\nlease: 30s\nflush: 50ms\npatience: off\n');
    const config = loadConfig({
      home: home.path,
      env: { CLOBI_LEASE: '40s', CLOBI_FLUSH: '60ms' },
      flags: { flush: 70, listen: undefined },
    });
    assert.deepEqual(
      [config.deadMs, config.leaseMs, config.flushMs, config.patienceMs],
      [20_000, 40_000, 70, null],
    );
    assert.equal(config.listen, '127.0.0.1:7475');
  });

  test('pools come from the file', async () => {
    await using home = await temporaryDirectory();
    await writeFile(
      join(home.path, 'clobi.yaml'),
      'ns: lab\npools:\n  big:\n    region: attic\n    labels: {disk: fast}\n  small:\n',
    );
    const [big, small] = loadConfig({ home: home.path }).pools;
    assert.deepEqual([big?.region, big?.labels, small?.name], ['attic', { disk: 'fast' }, 'small']);
    assert.match(big?.eventsQueue ?? '', /lab-big-events\.sqlite$/);
  });

  const wrong: [string, string, RegExp][] = [
    [
      'a value out of bounds',
      'heartbeat: 1ms',
      /heartbeat is "1ms"; it must be a time from 20 ms to 600000 ms/,
    ],
    ['no duration', 'dead: soon', /dead is "soon"; it must be a time/],
    ['a relation', 'heartbeat: 20s', /heartbeat \(20000 ms\) must be shorter than dead \(15000 ms\)/],
    ['an unknown setting', 'hartbeat: 2s', /:1:1 unknown setting "hartbeat"; did you mean "heartbeat"\?/],
    ['a public address', 'listen: 0.0.0.0:80', /listen is "0.0.0.0:80"; it must be a loopback address/],
    ['no pool', 'pools: {}', /at least one pool/],
    [
      'an unknown key of a pool',
      'pools: {a: {size: 3}}',
      /:1:13 unknown key "size" in pools\.a; known here: queue, store/,
    ],
    [
      'a pool of another provider',
      'pools: {a: {provider: moon}}',
      /pools\.a\.provider is "moon", but by its queue it is "local"/,
    ],
    ['no settings at all', '- a', /must hold settings/],
    ['no YAML', 'a: [', /:1:5 this is no YAML/],
  ];
  for (const [what, text, message] of wrong) {
    test(`refuses ${what}, naming it`, async () => {
      await using home = await temporaryDirectory();
      await writeFile(join(home.path, 'clobi.yaml'), text);
      assert.throws(() => loadConfig({ home: home.path }), refused(message));
    });
  }

  test('only settings that may be off can be', async () => {
    await using home = await temporaryDirectory();
    assert.throws(() => loadConfig({ home: home.path, flags: { dead: 'off' } }), refused(/dead is "off"/));
    assert.equal(loadConfig({ home: home.path, flags: { lookahead: 'off' } }).lookaheadMs, null);
  });

  test('every setting has its own name in the environment', () => {
    assert.equal(environmentName('controlPoll'), 'CLOBI_CONTROL_POLL');
    const names = Object.keys(SETTINGS).map(environmentName);
    assert.equal(new Set(names).size, names.length);
  });
});
