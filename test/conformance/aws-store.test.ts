import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { truncateSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import {
  GetBucketLifecycleConfigurationCommand,
  ListMultipartUploadsCommand,
  PutBucketLifecycleConfigurationCommand,
  PutBucketVersioningCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { isCode, messageOf } from '../../shared/errors.ts';
import { openManager, openStore } from '../../shared/providers/open.ts';
import { missingRadosgw, type Radosgw, startRadosgw } from '../../infra/emulators/radosgw.ts';
import { skewedClock } from '../helpers/skewed-clock.ts';
import { temporaryDirectory } from '../helpers/temporary.ts';
import { storesOf } from './aws-kit.ts';
import { checkKeys, HOSTILE_KEYS } from './store-lists.ts';
import { storeConformance, type StoreFixture } from './store-suite.ts';

const MIB = 1024 * 1024;
const PROVIDERS = import.meta.resolve('../../shared/providers');
const missing = missingRadosgw();

if (missing === undefined) {
  const server = await startRadosgw();
  const make = storesOf(server);
  storeConformance('S3 (Ceph radosgw)', make, { otherProcesses: true, putsIfAbsent: true });
  describe('S3 store', { timeout: 400_000 }, () => storeCases(server, make));
  describe('S3 bucket', { timeout: 400_000 }, () => bucketCases(server));
} else describe('store: S3 (Ceph radosgw)', { skip: missing }, () => undefined);

/** Puts, reads, and asks what is wrong with the bucket, by a process of its own. */
const WITH_WRONG_CLOCK = `
  import { text } from 'node:stream/consumers';
  import { RequestCounts } from '${PROVIDERS}/meter.ts';
  import { openManager, openStore } from '${PROVIDERS}/open.ts';
  const url = process.argv[1];
  const meter = new RequestCounts();
  const store = await openStore(url, { meter });
  await store.put('wrong-clock', 'put');
  const read = await text((await store.get('wrong-clock')).body);
  const differences = await (await openManager(url)).inspect();
  const clock = differences.find(({ setting }) => setting === 'clock')?.is;
  console.log(JSON.stringify({ read, requests: meter.totals(), clock }));
`;

function storeCases(server: Radosgw, make: () => Promise<StoreFixture>): void {
  it('keeps keys that a path would lose, and lists none of another prefix', async () => {
    const store = await (await make()).open();
    await checkKeys(
      store,
      HOSTILE_KEYS.filter((key) => key !== 'nul\0x'),
    );
  });

  it('is reached by a machine whose clock is 20 minutes off, which S3 refuses at first, and tells of that clock', async () => {
    const { url } = await make();
    for (const minutes of [-20, 20]) {
      const { stdout } = await promisify(execFile)(
        process.execPath,
        ['--input-type=module', '-e', WITH_WRONG_CLOCK, url],
        { env: { ...process.env, ...skewedClock(minutes) } },
      );
      const told = JSON.parse(stdout) as { read: string; requests: Record<string, number>; clock?: string };
      assert.equal(told.read, 'put');
      assert.ok((told.requests['s3:PutObject'] ?? 0) > 1, 'refused, then asked again by the time of S3');
      assert.match(
        told.clock ?? '',
        minutes > 0 ? /^this machine is 1[12]\d\d s ahead$/ : /^this machine is 1[12]\d\d s behind$/,
      );
    }
  });

  it('removes by the thousand', async () => {
    const store = await (await make()).open();
    await store.put('last', 'x');
    await store.remove([...Array.from({ length: 1_500 }, (_, n) => `none/${n}`), 'last']);
    assert.deepEqual(await store.list(''), []);
  });

  it('leaves no part of an upload that failed, nor a shorter object', async () => {
    await using directory = await temporaryDirectory();
    const file = join(directory.path, 'shrinks');
    await writeFile(file, Buffer.alloc(60 * MIB, 'x'));
    const { url } = await make();
    const operations: string[] = [];
    const shrink = (operation: string): void => {
      operations.push(operation);
      if (operation === 's3:UploadPart') truncateSync(file, 50 * MIB);
    };
    const store = await openStore(url, { meter: { count: shrink } });
    await assert.rejects(store.put('big', { file }), (error) => {
      assert.ok(isCode(error, 'CONFLICT'));
      assert.match(messageOf(error), /became shorter/);
      return true;
    });
    assert.equal(await store.head('big'), undefined);
    assert.ok(operations.includes('s3:AbortMultipartUpload'));
    const { Uploads = [] } = await sdk(server).send(new ListMultipartUploadsCommand({ Bucket: 'clobi' }));
    assert.deepEqual(
      Uploads.filter(({ Key }) => Key?.endsWith('/big')),
      [],
    );
  });

  it('says whose right is missing, and which; takes credentials from a profile', async () => {
    await using directory = await temporaryDirectory();
    const { url } = await make();
    await (await openStore(url)).put('mine', 'x');
    const stranger = await server.addUser('stranger');
    const file = join(directory.path, 'credentials');
    const profile = (name: string, secret = ''): string =>
      `[${name}]\naws_access_key_id = ${stranger['AWS_ACCESS_KEY_ID'] ?? ''}\naws_secret_access_key = ${secret}\n`;
    await writeFile(
      file,
      profile('stranger', stranger['AWS_SECRET_ACCESS_KEY']) + profile('liar', 'something else'),
    );
    process.env['AWS_SHARED_CREDENTIALS_FILE'] = file;
    const as = (name: string) => openStore(`${url}&credentials=profile:${name}`);
    const cases: [string, () => Promise<unknown>, RegExp][] = [
      [
        'stranger',
        async () => (await as('stranger')).put('theirs', 'x'),
        /s3:PutObject on arn:aws:s3:::clobi/,
      ],
      ['stranger', async () => (await as('stranger')).get('mine'), /s3:GetObject on arn:aws:s3:::clobi/],
      ['stranger', async () => (await as('stranger')).list(''), /s3:ListBucket on arn:aws:s3:::clobi/],
      ['liar', async () => (await as('liar')).head('mine'), /s3:GetObject|does not take the credentials/],
      [
        'liar',
        async () => (await as('liar')).put('x', 'x'),
        /take the credentials found by credentials=profile:liar/,
      ],
      [
        'nobody',
        async () => (await as('nobody')).put('x', 'x'),
        /No AWS credentials were found by credentials=profile:nobody/,
      ],
    ];
    for (const [name, call, message] of cases)
      await assert.rejects(call(), (error) => {
        assert.ok(isCode(error, 'CLOUD_AUTH'), `${name}: ${messageOf(error)}`);
        assert.match(messageOf(error), message);
        return true;
      });
  });
}

function bucketCases(server: Radosgw): void {
  it('is made and set by the manager, and what others set stays', async () => {
    const url = server.storeUrl('managed', 'pre');
    const manager = (await openManager(url))!;
    const found = await manager.inspect();
    assert.deepEqual(
      found.map(({ setting }) => setting),
      ['exists'],
    );
    await manager.mend(found);
    await manager.mend(found);
    assert.deepEqual(await manager.inspect(), []);

    const client = sdk(server);
    const other = {
      ID: 'others',
      Status: 'Enabled' as const,
      Filter: { Prefix: 'old/' },
      Expiration: { Days: 9 },
    };
    const Bucket = 'managed';
    await client.send(
      new PutBucketLifecycleConfigurationCommand({ Bucket, LifecycleConfiguration: { Rules: [other] } }),
    );
    await client.send(
      new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Enabled' } }),
    );
    const later = await manager.inspect();
    assert.deepEqual(
      later.map(({ setting, gravity, mendable }) => `${setting} ${gravity} ${mendable}`),
      ['lifecycle warning true', 'versioning warning false'],
    );
    await manager.mend(later);
    const { Rules = [] } = await client.send(new GetBucketLifecycleConfigurationCommand({ Bucket }));
    assert.deepEqual(Rules.map(({ ID }) => ID).sort(), ['clobi-abort-incomplete-uploads', 'others']);
  });

  it('that is gone is told from an object that is', async () => {
    const store = await openStore(server.storeUrl('never-made'));
    await assert.rejects(store.put('x', 'x'), (error) => {
      assert.ok(isCode(error, 'NOT_FOUND'));
      assert.match(messageOf(error), /clobi pool ensure/);
      return true;
    });
  });

  it('keeps what it holds when its server is killed and comes back', async () => {
    const store = await openStore(server.storeUrl('clobi', 'durable'));
    await store.put('key', 'x');
    await server.kill();
    await assert.rejects(store.head('key'), (error) => isCode(error, 'UNAVAILABLE'));
    await server.restart();
    assert.equal((await store.head('key'))?.sizeBytes, 1);
  });
}

const sdk = ({ endpoint }: Radosgw): S3Client =>
  new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true });
