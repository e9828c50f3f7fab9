import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { startAzurite } from '../../infra/emulators/azurite.ts';
import { startFauxqs } from '../../infra/emulators/fauxqs.ts';
import { isCode } from '../../shared/errors.ts';
import { openManager, openStore } from '../../shared/providers/open.ts';
import { parseCloudUrl } from '../../shared/providers/url.ts';
import { clobi } from '../helpers/process.ts';
import { temporaryDirectory } from '../helpers/temporary.ts';

/** By the server itself, without our code. */
async function queuesOf(endpoint: string): Promise<string[]> {
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': 'AmazonSQS.ListQueues' },
    body: '{}',
  });
  const { QueueUrls = [] } = (await response.json()) as { QueueUrls?: string[] };
  return QueueUrls.map((url) => url.slice(url.lastIndexOf('/') + 1)).sort();
}

test('doctor --live tries emulated clouds out, leaves nothing behind, and doctor tells of their settings', async () => {
  await using aws = await startFauxqs();
  await using azure = await startAzurite();
  await using home = await temporaryDirectory();
  const env = { ...aws.env, ...azure.env };
  Object.assign(process.env, env);
  const [sqs, queue] = [parseCloudUrl(aws.queueUrl('any')), parseCloudUrl(azure.queueUrl('any'))];
  const stores = { aws: aws.storeUrl('results', 'a'), azure: azure.storeUrl('results', 'b') };
  const pools = {
    aws: { queue: { kind: 'sqs', region: sqs.host, endpoint: sqs.endpoint }, store: stores.aws },
    azure: {
      queue: { kind: 'azure-queue', account: queue.host, endpoint: queue.endpoint },
      store: stores.azure,
    },
  };
  // The primary store is in use by no pool, and is looked at all the same.
  await writeFile(join(home.path, 'clobi.yaml'), JSON.stringify({ store: aws.storeUrl('primary'), pools }));
  const run = (...args: string[]) => clobi([...args, '--home', home.path], { env });

  const doctor = JSON.parse((await run('doctor', '-o', 'json')).stdout) as { check: string; found: string }[];
  assert.ok(
    doctor.some(({ check, found }) => check === 'pool aws' && /queue clobi-aws-units is missing/.test(found)),
  );
  assert.ok(
    doctor.some(({ check, found }) => check === 'pool primary store' && /bucket primary/.test(found)),
  );

  // Its code is not looked at: the emulated S3 forgets a part of what closes a bucket to the public.
  await run('pool', 'ensure', '--yes');
  const before = await queuesOf(aws.endpoint);
  assert.deepEqual(before, ['clobi-aws-dead', 'clobi-aws-events', 'clobi-aws-units']);
  for (const pool of ['aws', 'azure'] as const) {
    const live = await run('doctor', '--live', pool, '-o', 'json');
    const findings = JSON.parse(live.stdout) as { status: string }[];
    assert.deepEqual(
      findings.filter(({ status }) => status !== 'ok'),
      [],
      pool,
    );
    assert.equal(live.code, 0, live.stderr);
    assert.deepEqual(await (await openStore(stores[pool])).list(''), [], 'no object is left');
  }
  assert.deepEqual(await queuesOf(aws.endpoint), before, 'no queue is left');
});

test('a cloud that does not answer fails every probe and ends', async () => {
  await using home = await temporaryDirectory();
  const pools = { aws: { queue: { kind: 'sqs', region: 'r', endpoint: 'http://127.0.0.1:9' } } };
  await writeFile(join(home.path, 'clobi.yaml'), JSON.stringify({ pools }));
  const env = { AWS_ACCESS_KEY_ID: 'x', AWS_SECRET_ACCESS_KEY: 'x' };
  const { code, stdout } = await clobi(['doctor', '--live', 'aws', '--home', home.path, '-o', 'json'], {
    env,
  });
  assert.equal(code, 1);
  const findings = JSON.parse(stdout) as { check: string; status: string }[];
  assert.ok(
    findings.filter(({ check }) => check.startsWith('queue ')).every(({ status }) => status === 'failed'),
  );
  assert.ok(
    findings.filter(({ check }) => check.startsWith('store ')).every(({ status }) => status === 'ok'),
  );
});

test('only a queue that was made to try things out is ever deleted', async () => {
  await using aws = await startFauxqs();
  Object.assign(process.env, aws.env);
  const manager = await openManager(aws.queueUrl('clobi-aws-units'));
  await manager?.mend(await manager.inspect());
  await assert.rejects(manager?.removeProbe?.() ?? Promise.resolve(), (error) => isCode(error, 'CONFLICT'));
  assert.ok((await queuesOf(aws.endpoint)).includes('clobi-aws-units'));
});
