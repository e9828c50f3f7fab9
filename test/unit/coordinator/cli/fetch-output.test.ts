import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { downloadOutputs, type DownloadResult } from '../../../../coordinator/cli/download.ts';
import { parseRange } from '../../../../coordinator/http/range.ts';
import type { OutputView } from '../../../../coordinator/http/api.ts';
import { temporaryDirectory } from '../../../helpers/temporary.ts';
import { type Served, serve } from './rig.ts';

const MIB = 1024 * 1024;
const content = randomBytes(8 * MIB);
const output: OutputView = {
  index: 0,
  run: '1.1-a',
  pool: 'aws',
  path: 'big',
  key: 'results/J/0/1.1-a/big',
  sizeBytes: content.length,
  sha256: createHash('sha256').update(content).digest('hex'),
};

async function* onePage(): AsyncGenerator<OutputView[]> {
  yield [output];
}
const bring = (served: Served, directory: string): Promise<DownloadResult> =>
  downloadOutputs(onePage(), { client: served.client, directory, parallel: 1 });

/** Answers a range as a store does. */
function sendFrom(request: IncomingMessage, response: ServerResponse): void {
  const range = parseRange(request.headers.range, content.length);
  if (typeof range !== 'object') response.end(content);
  else response.writeHead(206).end(content.subarray(range.from, range.to + 1));
}

describe('an output is brought from its store', () => {
  test('by the URL that the coordinator gives, without our token', async () => {
    await using temporary = await temporaryDirectory();
    const seen: (string | undefined)[] = [];
    await using store = await serve((request, response) => {
      seen.push(request.headers.authorization);
      sendFrom(request, response);
    });
    await using coordinator = await serve((_request, response) =>
      response.writeHead(307, { location: `${store.url}/big?sig=1` }).end(),
    );
    assert.deepEqual((await bring(coordinator, temporary.path)).failures, []);
    assert.deepEqual(seen, [undefined]);
    assert.ok(content.equals(await readFile(join(temporary.path, '0', 'big'))));
  });

  test('through the coordinator when the store cannot be reached from here', async () => {
    await using temporary = await temporaryDirectory();
    const gone = await serve(() => undefined);
    await gone.close();
    await using coordinator = await serve((request, response) => {
      if (request.url?.includes('via=coordinator') === true) sendFrom(request, response);
      else response.writeHead(307, { location: `${gone.url}/big` }).end();
    });
    assert.equal((await bring(coordinator, temporary.path)).fetched, 1);
  });
});

describe('a download goes on where it broke off', () => {
  test('within one call, and in a later one', async () => {
    await using temporary = await temporaryDirectory();
    const ranges: (string | undefined)[] = [];
    let broken = true;
    await using coordinator = await serve((request, response) => {
      ranges.push(request.headers.range);
      if (!broken) {
        sendFrom(request, response);
        return;
      }
      const from = Number(/\d+/.exec(request.headers.range ?? '0')?.[0]);
      response.writeHead(from === 0 ? 200 : 206, { 'content-length': content.length - from });
      response.write(content.subarray(from, from + 2 * MIB), () => response.destroy());
    });
    const first = await bring(coordinator, temporary.path);
    assert.equal(first.failures.length, 1);
    const [part] = await readdir(join(temporary.path, '0'));
    assert.match(part ?? '', /^big\.[0-9a-f]{12}\.clobi-part$/);
    broken = false;
    assert.equal((await bring(coordinator, temporary.path)).fetched, 1);
    assert.ok(content.equals(await readFile(join(temporary.path, '0', 'big'))));
    assert.deepEqual(await readdir(join(temporary.path, '0')), ['big']);
    const starts = ranges.map((range) => Number(/\d+/.exec(range ?? '0')?.[0]));
    assert.equal(starts[0], 0);
    assert.ok((starts.at(-1) ?? 0) >= MIB, `the last began at ${String(starts.at(-1))}`);
  });

  test('a piece of other content is thrown away', async () => {
    await using temporary = await temporaryDirectory();
    await using coordinator = await serve(sendFrom);
    await bring(coordinator, temporary.path);
    const file = join(temporary.path, '0', 'big');
    await writeFile(file, 'other');
    await writeFile(`${file}.${output.sha256.slice(0, 12)}.clobi-part`, randomBytes(2 * MIB));
    assert.deepEqual((await bring(coordinator, temporary.path)).failures, []);
    assert.ok(content.equals(await readFile(file)));
  });
});

test('ranges of bytes', () => {
  assert.deepEqual(parseRange('bytes=2-', 10), { from: 2, to: 9 });
  assert.deepEqual(parseRange('bytes=2-3', 10), { from: 2, to: 3 });
  assert.deepEqual(parseRange('bytes=2-99', 10), { from: 2, to: 9 });
  assert.deepEqual(parseRange('bytes=-3', 10), { from: 7, to: 9 });
  assert.equal(parseRange('bytes=10-', 10), 'unsatisfiable');
  assert.equal(parseRange('bytes=0-', 0), 'unsatisfiable');
  for (const odd of [undefined, 'bytes=-', 'bytes=3-2', 'bytes=1-2,4-5', 'lines=1-2'])
    assert.equal(parseRange(odd, 10), undefined);
});
