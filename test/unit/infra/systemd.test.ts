import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { temporaryDirectory } from '../../helpers/temporary.ts';

const run = promisify(execFile);
const UNITS = ['clobi-coordinator.service', 'clobi-agent@.service'] as const;
type Unit = (typeof UNITS)[number];

const directory = join(import.meta.dirname, '..', '..', '..', 'infra', 'templates', 'systemd');
const textOf = (unit: Unit): Promise<string> => readFile(join(directory, unit), 'utf8');

/** From systemd.unit(5), systemd.service(5), systemd.exec(5), systemd.kill(5) and systemd.resource-control(5); those that we use. */
const KNOWN_KEYS: Readonly<Record<string, readonly string[]>> = {
  Unit: ['Description', 'Wants', 'After', 'StartLimitIntervalSec'],
  Service: [
    ...[
      'Type',
      'ExecStart',
      'Restart',
      'RestartSec',
      'TimeoutStopSec',
      'KillSignal',
      'KillMode',
      'OOMPolicy',
    ],
    ...['User', 'Group', 'Environment', 'EnvironmentFile', 'WorkingDirectory', 'UMask'],
    ...['StateDirectory', 'StateDirectoryMode', 'Delegate', 'TasksMax'],
    ...[
      'NoNewPrivileges',
      'CapabilityBoundingSet',
      'ProtectSystem',
      'ProtectHome',
      'PrivateTmp',
      'PrivateDevices',
    ],
    ...['ProtectProc', 'ProtectClock', 'ProtectHostname', 'ProtectKernelLogs', 'ProtectKernelModules'],
    ...['ProtectKernelTunables', 'ProtectControlGroups', 'RestrictAddressFamilies', 'RestrictNamespaces'],
    ...['RestrictRealtime', 'RestrictSUIDSGID', 'LockPersonality', 'InaccessiblePaths'],
  ],
  Install: ['WantedBy'],
};

/** `Section.Key` → its values. Throws at a line that is neither section, setting, comment nor empty. */
function parseUnit(text: string): Map<string, string[]> {
  const settings = new Map<string, string[]>();
  let section = '';
  for (const line of text.split('\n').filter((each) => each !== '' && !each.startsWith('#'))) {
    const header = /^\[([A-Z][A-Za-z]+)\]$/.exec(line)?.[1];
    const [, key, value] = /^([A-Z][A-Za-z]+)=(.*)$/.exec(line) ?? [];
    if (header !== undefined) section = header;
    else if (key === undefined || value === undefined || section === '')
      throw new Error(`not a setting: ${line}`);
    else settings.set(`${section}.${key}`, [...(settings.get(`${section}.${key}`) ?? []), value]);
  }
  return settings;
}

const service = async (unit: Unit): Promise<(key: string) => string | undefined> => {
  const settings = parseUnit(await textOf(unit));
  return (key) => settings.get(`Service.${key}`)?.join('\n');
};

for (const unit of UNITS) {
  test(`${unit}: sections and keys are known ones`, async () => {
    const names = [...parseUnit(await textOf(unit)).keys()].map(
      (name) => name.split('.') as [string, string],
    );
    assert.deepEqual([...new Set(names.map(([section]) => section))], ['Unit', 'Service', 'Install']);
    for (const [section, key] of names) assert.ok(KNOWN_KEYS[section]?.includes(key), `${section}.${key}`);
  });

  test(`${unit}: stays up, stops by SIGTERM to the main process, keeps its state in /var/lib/clobi`, async () => {
    const value = await service(unit);
    assert.equal(value('Restart'), 'always');
    assert.equal(value('KillSignal'), 'SIGTERM');
    assert.equal(value('KillMode'), 'mixed');
    assert.match(value('TimeoutStopSec') ?? '', /^\d+(min)?$/);
    assert.equal(value('StateDirectory'), 'clobi');
    assert.equal(value('Environment')?.split('\n')[0], 'CLOBI_HOME=/var/lib/clobi');
    assert.equal(value('NoNewPrivileges'), 'yes');
  });

  test(`${unit}: systemd itself finds nothing wrong, where it is installed`, async () => {
    await using temporary = await temporaryDirectory();
    // It asks whether the programs exist; ours are not installed here.
    const text = (await textOf(unit)).replaceAll('/opt/clobi/node_modules/.bin/node', process.execPath);
    await mkdir(join(temporary.path, 'units'));
    const file = join(temporary.path, 'units', unit);
    await writeFile(file, text);
    const { stderr } = await run('systemd-analyze', ['--man=no', 'verify', file]).catch((error: unknown) => {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return { stderr: '' };
      throw error;
    });
    assert.ok(!stderr.includes(unit), stderr);
  });
}

test('the agent may make control groups and namespaces for its tasks, and hides the coordinator’s key from them', async () => {
  const value = await service('clobi-agent@.service');
  assert.equal(value('Delegate'), 'yes');
  assert.equal(value('OOMPolicy'), 'continue');
  assert.equal(value('InaccessiblePaths'), '-/var/lib/clobi/coordinator');
  const closing = [
    'ProtectProc',
    'ProtectKernelTunables',
    'ProtectKernelLogs',
    'ProtectControlGroups',
    'RestrictNamespaces',
  ];
  for (const key of [...closing, 'PrivateUsers', 'PrivateDevices', 'DevicePolicy', 'ProtectClock'])
    assert.equal(value(key), undefined, key);
});

test('an agent’s instance is its pool, and its program a shell script that ends as the agent', async () => {
  const command = (await service('clobi-agent@.service'))('ExecStart') ?? '';
  const [, script = '', rest] = /^\/bin\/sh -c '([^']*)' (.*)$/.exec(command) ?? [];
  assert.equal(
    rest,
    'sh /opt/clobi-agent/node /opt/clobi-agent/clobi-agent.mjs --pool %i $CLOBI_AGENT_OPTIONS',
  );
  assert.match(script, /; exec "\$\$@"$/);
  await run('/bin/sh', ['-n', '-c', script.replaceAll('$$', '$')]);
});
