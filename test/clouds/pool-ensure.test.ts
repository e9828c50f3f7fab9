import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { startAzurite } from '../../infra/emulators/azurite.ts';
import { startFauxqs } from '../../infra/emulators/fauxqs.ts';
import { parseCloudUrl } from '../../shared/providers/url.ts';
import { type CliResult, clobi } from '../helpers/process.ts';
import { temporaryDirectory } from '../helpers/temporary.ts';

test('pool ensure shows, asks, makes, and finds nothing to do the second time', async () => {
  await using aws = await startFauxqs();
  await using azure = await startAzurite();
  await using home = await temporaryDirectory();
  const [sqs, queue] = [parseCloudUrl(aws.queueUrl('any')), parseCloudUrl(azure.queueUrl('any'))];
  const store = azure.storeUrl('results', 'of clobi');
  const pools = {
    local: {},
    // A queue of one cloud and a store of another go together.
    aws: { queue: { kind: 'sqs', region: sqs.host, endpoint: sqs.endpoint }, store },
    azure: { queue: { kind: 'azure-queue', account: queue.host, endpoint: queue.endpoint }, store },
  };
  await writeFile(join(home.path, 'clobi.yaml'), JSON.stringify({ pools }));
  const pool = (...args: string[]): Promise<CliResult> =>
    clobi(['pool', ...args, '--home', home.path], { env: { ...aws.env, ...azure.env } });

  const missing = await pool('check', '-o', 'json');
  assert.equal(missing.code, 1, missing.stderr);
  const found = JSON.parse(missing.stdout) as { pool: string; setting: string; mendable: boolean }[];
  assert.deepEqual(new Set(found.flatMap(({ pool: names }) => names.split(', '))), new Set(['aws', 'azure']));
  assert.ok(found.every(({ setting, mendable }) => setting === 'exists' && mendable));

  const unasked = await pool('ensure');
  assert.equal(unasked.code, 2);
  assert.match(unasked.stderr, /changes to make; say --yes/);
  assert.equal((await pool('check')).code, 1, 'nothing was changed');

  const made = await pool('ensure', '--yes');
  assert.equal(made.code, 0, made.stdout + made.stderr);
  const again = await pool('ensure');
  assert.equal(again.code, 0);
  assert.match(again.stderr, /as it should be/);

  const unknown = await pool('check', 'awz');
  assert.equal(unknown.code, 3);
  assert.match(unknown.stderr, /no pool "awz".*did you mean "aws"/);
});

test('what cannot be reached is a finding, and the other pools are looked at', async () => {
  await using azure = await startAzurite();
  await using home = await temporaryDirectory();
  const queue = parseCloudUrl(azure.queueUrl('any'));
  const nowhere = { kind: 'sqs', region: 'eu-west-1', endpoint: 'http://127.0.0.1:9' };
  const pools = {
    aws: { queue: nowhere },
    azure: { queue: { kind: 'azure-queue', account: queue.host, endpoint: queue.endpoint } },
  };
  await writeFile(join(home.path, 'clobi.yaml'), JSON.stringify({ pools }));
  const env = { ...azure.env, AWS_ACCESS_KEY_ID: 'x', AWS_SECRET_ACCESS_KEY: 'x' };
  const { code, stdout, stderr } = await clobi(['pool', 'check', '--home', home.path, '-o', 'json'], { env });
  assert.equal(code, 1, stderr);
  const found = JSON.parse(stdout) as { pool: string; setting: string }[];
  assert.ok(found.some((difference) => difference.pool === 'aws' && difference.setting === 'access'));
  assert.ok(found.some((difference) => difference.pool === 'azure' && difference.setting === 'exists'));
});
