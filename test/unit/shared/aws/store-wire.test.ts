import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { test } from 'node:test';
import { buffer } from 'node:stream/consumers';
import { ClobiError, isCode, messageOf } from '../../../../shared/errors.ts';
import { RequestCounts } from '../../../../shared/providers/meter.ts';
import { openManager, openStore } from '../../../../shared/providers/open.ts';
import { type Asked, startAnswering, xmlError } from '../../../helpers/answering.ts';

Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'x', AWS_SECRET_ACCESS_KEY: 'x' });

async function withStore(answer: (asked: Asked, response: ServerResponse, count: number) => void) {
  const server = await startAnswering(answer);
  const url = `s3://bucket/pre?endpoint=${server.endpoint}&region=eu-central-1`;
  const meter = new RequestCounts();
  const store = await openStore(url, { meter });
  return { server, url, meter, store, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

test('refusals are told apart, with the action to allow and the resource', async () => {
  const cases: [number, string, Parameters<typeof xmlError>[2], RegExp][] = [
    [403, 'CLOUD_AUTH', { code: 'AccessDenied' }, /s3:PutObject on arn:aws:s3:::bucket\/pre\/key/],
    [403, 'CLOUD_AUTH', { code: 'SignatureDoesNotMatch' }, /does not take the credentials/],
    [
      403,
      'CLOUD_AUTH',
      { code: 'RequestTimeTooSkewed', headers: { date: 'Mon, 01 Jan 2024 00:00:00 GMT' } },
      /clock of this machine is wrong \(\d+ s ahead\)/,
    ],
    [
      301,
      'INVALID_CONFIG',
      { code: 'PermanentRedirect', headers: { 'x-amz-bucket-region': 'eu-west-1' } },
      /not in the region asked but in eu-west-1/,
    ],
    [
      400,
      'INVALID_CONFIG',
      { code: 'AuthorizationHeaderMalformed', more: '<Region>us-west-2</Region>' },
      /but in us-west-2/,
    ],
    [503, 'THROTTLED', { code: 'SlowDown' }, /fewer requests/],
    [500, 'UNAVAILABLE', { code: 'InternalError' }, /did not answer/],
    [403, 'CLOUD_QUOTA', { code: 'QuotaExceeded' }, /limit/],
    [404, 'NOT_FOUND', { code: 'NoSuchBucket' }, /clobi pool ensure/],
    [400, 'INTERNAL', { code: 'InvalidRequest' }, /did not understand/],
  ];
  for (const [status, code, error, message] of cases) {
    await using room = await withStore((_asked, response) => xmlError(response, status, error));
    await assert.rejects(room.store.put('key', 'x'), (thrown) => {
      assert.ok(thrown instanceof ClobiError && thrown.code === code, `${error.code}: ${messageOf(thrown)}`);
      assert.match(thrown.message, message);
      return true;
    });
  }
});

test('nobody there', async () => {
  const room = await withStore(() => undefined);
  await room[Symbol.asyncDispose]();
  await assert.rejects(room.store.head('key'), (error) => isCode(error, 'UNAVAILABLE'));
  assert.deepEqual(room.meter.totals(), { 's3:HeadObject': 3 });
});

test('a download that breaks off is an error, never a shorter file', async () => {
  for (const headers of [{ 'content-length': '10' }, {}] as Record<string, string>[]) {
    await using room = await withStore((_asked, response) => {
      response.writeHead(200, { etag: '"e"', ...headers });
      response.write('short');
      setImmediate(() => response.socket?.destroy());
    });
    const got = await room.store.get('key');
    await assert.rejects(buffer(got!.body), (error) => isCode(error, 'UNAVAILABLE'));
  }
});

test('a download that breaks before anybody reads it is an error to its reader, not to the process', async () => {
  await using room = await withStore((_asked, response) => {
    response.writeHead(200, { etag: '"e"', 'content-length': '10' });
    response.flushHeaders();
    setImmediate(() => response.socket?.destroy());
  });
  const got = await room.store.get('key');
  await new Promise((resolve) => got!.body.once('close', resolve));
  await assert.rejects(buffer(got!.body));
});

test('of a conditional put whose answer was lost, what is there now tells whose it is', async () => {
  for (const [there, expected] of [
    ['mine', 'mine'],
    ['theirs', 'PRECONDITION_FAILED'],
  ]) {
    let puts = 0;
    await using room = await withStore(({ method }, response) => {
      if (method === 'HEAD') {
        xmlError(response, 404, { code: 'NoSuchKey' });
        return;
      }
      if (method === 'GET') {
        response.writeHead(200, { etag: '"e"' }).end(there);
        return;
      }
      puts += 1;
      if (puts === 1) response.socket?.destroy();
      else xmlError(response, 412, { code: 'PreconditionFailed' });
    });
    const put = room.store.put('key', 'mine', { ifAbsent: true });
    if (expected === 'mine') assert.equal((await put).etag, 'e');
    else await assert.rejects(put, (error) => isCode(error, 'PRECONDITION_FAILED'));
  }
});

test('a conflict of conditional puts is tried again', async () => {
  let puts = 0;
  await using room = await withStore(({ method }, response) => {
    if (method === 'HEAD') {
      xmlError(response, 404, { code: 'NoSuchKey' });
      return;
    }
    puts += 1;
    if (puts === 1) xmlError(response, 409, { code: 'ConditionalRequestConflict' });
    else response.writeHead(200, { etag: '"e"' }).end();
  });
  assert.equal((await room.store.put('key', 'x', { ifAbsent: true })).etag, 'e');
  assert.equal(puts, 2);
});

test('removing many reports the key that could not be removed', async () => {
  await using room = await withStore((_asked, response) => {
    response.writeHead(200, { 'content-type': 'application/xml' });
    response.end(
      '<?xml version="1.0"?><DeleteResult><Error><Key>pre/b</Key><Code>AccessDenied</Code><Message>no</Message></Error></DeleteResult>',
    );
  });
  await assert.rejects(room.store.remove(['a', 'b']), (error) => {
    assert.ok(isCode(error, 'CLOUD_AUTH'));
    assert.match(messageOf(error), /s3:DeleteObject on arn:aws:s3:::bucket\/pre\/b/);
    return true;
  });
});

test('the manager names a wrong clock, a wrong region, and a right that is missing', async () => {
  await using room = await withStore((_asked, response) => {
    response.writeHead(200, { date: new Date(Date.now() - 1_200_000).toUTCString() }).end();
  });
  const clock = (await (await openManager(room.url))!.inspect()).find(({ setting }) => setting === 'clock');
  assert.match(clock?.is ?? '', /this machine is 1[12]\d\d s ahead/);
  assert.equal(clock?.gravity, 'failed');

  await using elsewhere = await withStore((_asked, response) =>
    xmlError(response, 301, { code: '', headers: { 'x-amz-bucket-region': 'eu-west-1' } }),
  );
  const [region] = await (await openManager(elsewhere.url))!.inspect();
  assert.deepEqual([region?.setting, region?.mendable], ['region', false]);
  assert.match(region?.is ?? '', /eu-west-1/);

  await using denied = await withStore(({ method }, response) =>
    method === 'HEAD' ? response.writeHead(200).end() : xmlError(response, 403, { code: 'AccessDenied' }),
  );
  const found = await (await openManager(denied.url))!.inspect();
  const fixes = found.map(({ fix }) => /s3:\w+/.exec(fix)?.[0]);
  assert.deepEqual(fixes, [
    's3:ListBucket',
    's3:GetBucketPublicAccessBlock',
    's3:GetLifecycleConfiguration',
    's3:GetBucketVersioning',
  ]);
});

test('keys and URLs that cannot be are refused before any request', async () => {
  await using room = await withStore((_asked, response) => response.writeHead(200).end());
  for (const key of ['', 'nul\0', '\ud800', 'x'.repeat(1_021)])
    await assert.rejects(room.store.put(key, 'x'), (error) => isCode(error, 'LIMIT_EXCEEDED'));
  for (const key of ['..', 'a/../b', './a'])
    await assert.rejects(room.store.presign('get', key, 60_000), (error) => isCode(error, 'LIMIT_EXCEEDED'));
  await assert.rejects(room.store.presign('get', 'a', 7 * 86_400_000 + 1_000), (error) =>
    isCode(error, 'LIMIT_EXCEEDED'),
  );
  assert.equal(room.server.asked.length, 0);
});
