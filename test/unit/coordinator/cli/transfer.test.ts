import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { downloadOutputs, type DownloadResult } from '../../../../coordinator/cli/download.ts';
import { findLastLines, readLog } from '../../../../coordinator/cli/log-files.ts';
import { formatLogLines, LineSplitter } from '../../../../coordinator/cli/log-lines.ts';
import { openLog } from '../../../../coordinator/cli/task-log.ts';
import { uploadInputs } from '../../../../coordinator/cli/uploads.ts';
import type { OutputView } from '../../../../coordinator/http/api.ts';
import { isCode } from '../../../../shared/errors.ts';
import { temporaryDirectory } from '../../../helpers/temporary.ts';
import { waitFor } from '../../../helpers/wait.ts';
import { keptOutput, type Served, serve } from './rig.ts';

/** What goes over the wire, against a real HTTP server. */
type Handle = (request: IncomingMessage, response: ServerResponse) => void;
let handle: Handle = () => undefined;
let served: Served;
let requests: string[] = [];
before(async () => {
  served = await serve((request, response) => {
    requests.push(`${request.method ?? ''} ${request.url ?? ''}`);
    handle(request, response);
  });
});
beforeEach(() => {
  requests = [];
});
after(async () => served.close());

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const outputOf = (path: string, content: string, index = 0): OutputView => ({
  index,
  run: '1.1-a',
  pool: 'local',
  path,
  key: `results/J/${index}/1.1-a/${path}`,
  sizeBytes: Buffer.byteLength(content),
  sha256: sha256(content),
});
async function* onePage(outputs: OutputView[]): AsyncGenerator<OutputView[]> {
  yield outputs;
}
const bring = (directory: string, outputs: OutputView[]): Promise<DownloadResult> =>
  downloadOutputs(onePage(outputs), { client: served.client, directory, parallel: 4 });

describe('outputs are brought whole, once, and inside the directory', () => {
  const contents = new Map([
    ['results/J/0/1.1-a/a.txt', 'alpha'],
    ['results/J/0/1.1-a/sub/ü b.txt', 'beta'],
    ['results/J/1/1.1-a/a.txt', ''],
  ]);
  const outputs = [outputOf('a.txt', 'alpha'), outputOf('sub/ü b.txt', 'beta'), outputOf('a.txt', '', 1)];
  const serveContents: Handle = (request, response) => {
    const key = decodeURIComponent((request.url ?? '').replace('/v1/objects/', '').replace(/\?.*/, ''));
    response.end(contents.get(key) ?? 'wrong');
  };

  test('a second time only what is missing or differs is fetched', async () => {
    await using temporary = await temporaryDirectory();
    const directory = join(temporary.path, 'new', 'out');
    handle = serveContents;
    const first = await bring(directory, outputs);
    assert.deepEqual(first, { fetched: 3, kept: 0, bytes: 9, failures: [] });
    assert.equal(await readFile(join(directory, '0', 'sub', 'ü b.txt'), 'utf8'), 'beta');
    const kept = await stat(join(directory, '0', 'a.txt'));
    await rm(join(directory, '1', 'a.txt'));
    await writeFile(join(directory, '0', 'sub', 'ü b.txt'), 'BETA');
    const second = await bring(directory, outputs);
    assert.deepEqual(second, { fetched: 2, kept: 1, bytes: 4, failures: [] });
    assert.equal((await stat(join(directory, '0', 'a.txt'))).mtimeMs, kept.mtimeMs);
    assert.equal(await readFile(join(directory, '0', 'sub', 'ü b.txt'), 'utf8'), 'beta');
  });

  test('bytes with another hash never get the name; the others arrive', async () => {
    await using temporary = await temporaryDirectory();
    handle = serveContents;
    const result = await bring(temporary.path, [outputOf('unknown', 'right'), ...outputs]);
    assert.equal(result.fetched, 3);
    assert.match(result.failures[0]?.why ?? '', /SHA-256/);
    assert.deepEqual((await readdir(join(temporary.path, '0'))).sort(), ['a.txt', 'sub']);
    assert.equal(requests.filter((line) => line.includes('unknown')).length, 3, 'tried again');
  });

  test('an answer that breaks off is asked for again', async () => {
    await using temporary = await temporaryDirectory();
    let broken = 0;
    handle = (request, response) => {
      if (broken++ > 0) {
        serveContents(request, response);
        return;
      }
      response.writeHead(200, { 'content-length': 5 });
      response.write('al', () => response.destroy());
    };
    assert.deepEqual(await bring(temporary.path, [outputOf('a.txt', 'alpha')]), {
      fetched: 1,
      kept: 0,
      bytes: 5,
      failures: [],
    });
  });

  test('no path leads out of the directory, not even over a link that is there', async () => {
    await using temporary = await temporaryDirectory();
    const directory = join(temporary.path, 'out');
    const outside = join(temporary.path, 'outside');
    await mkdir(join(directory, '0'), { recursive: true });
    await mkdir(outside);
    await symlink(outside, join(directory, '0', 'link'));
    handle = (_request, response) => response.end('evil');
    const paths = [
      '../../evil',
      '/etc/evil',
      'a/../../../evil',
      'a//evil',
      './evil',
      '',
      'nul\0evil',
      'link/evil',
    ];
    const result = await bring(
      directory,
      paths.map((path) => outputOf(path, 'evil')),
    );
    assert.equal(result.failures.length, paths.length);
    assert.deepEqual(await readdir(outside), []);
    assert.deepEqual((await readdir(temporary.path)).sort(), ['out', 'outside']);
    assert.deepEqual(requests, [], 'nothing was even asked for');
  });

  test('a link in the place of a file is replaced, not written through', async () => {
    await using temporary = await temporaryDirectory();
    const victim = join(temporary.path, 'victim');
    await writeFile(victim, 'alpha');
    await mkdir(join(temporary.path, 'out', '0'), { recursive: true });
    await symlink(victim, join(temporary.path, 'out', '0', 'a.txt'));
    handle = serveContents;
    assert.equal((await bring(join(temporary.path, 'out'), [outputOf('a.txt', 'alpha')])).fetched, 1);
    await writeFile(victim, 'changed');
    assert.equal(await readFile(join(temporary.path, 'out', '0', 'a.txt'), 'utf8'), 'alpha');
  });
});

describe('inputs', () => {
  test('only those that are missing go up, each content once', async () => {
    await using temporary = await temporaryDirectory();
    const uploads = await Promise.all(
      ['one', 'two', 'two'].map(async (content, i) => {
        const file = join(temporary.path, String(i));
        await writeFile(file, content);
        return { file, sha256: sha256(content), sizeBytes: content.length };
      }),
    );
    const bodies = new Map<string, string>();
    handle = (request, response) => {
      let body = '';
      request.setEncoding('utf8').on('data', (text: string) => (body += text));
      request.on('end', () => {
        if (request.method === 'POST')
          response.end(
            JSON.stringify({ missing: (JSON.parse(body) as { sha256: string[] }).sha256.slice(1) }),
          );
        else {
          bodies.set(request.url ?? '', body);
          response.end(JSON.stringify({}));
        }
      });
    };
    await uploadInputs(served.client, uploads, keptOutput().output);
    assert.deepEqual([...bodies], [[`/v1/inputs/${sha256('two')}`, 'two']]);
  });
});

describe('calls', () => {
  test('a broken answer is asked for again, but not a change that may have happened', async () => {
    let calls = 0;
    handle = (request, response) => {
      calls += 1;
      if (calls === 1) request.socket.destroy();
      else response.end('{"ok":true}');
    };
    assert.deepEqual(await served.client.get('/v1/x'), { ok: true });
    calls = 0;
    await assert.rejects(served.client.post('/v1/x'), (error) => isCode(error, 'UNREACHABLE'));
    calls = 0;
    assert.deepEqual(await served.client.post('/v1/x', {}, true), { ok: true });
  });
  test('errors come as they are named, or by their status', async () => {
    handle = (_request, response) =>
      response.writeHead(409).end('{"error":{"code":"AMBIGUOUS_ID","message":"two","context":{"n":2}}}');
    await assert.rejects(
      served.client.get('/v1/x'),
      (error) => isCode(error, 'AMBIGUOUS_ID') && (error as Error).message === 'two',
    );
    handle = (_request, response) => response.writeHead(404).end('<html>');
    await assert.rejects(served.client.get('/v1/x'), (error) => isCode(error, 'NOT_FOUND'));
  });
});

describe('logs', () => {
  test('whole lines from any pieces, a last one without its break, none too long', () => {
    const splitter = new LineSplitter();
    const euro = Buffer.from('€');
    assert.deepEqual(splitter.push(Buffer.concat([Buffer.from('a\r\nb\n'), euro.subarray(0, 1)])), [
      'a',
      'b',
    ]);
    assert.deepEqual(splitter.push(Buffer.concat([euro.subarray(1), Buffer.from('x')])), []);
    assert.deepEqual(splitter.end(), ['€x']);
    assert.deepEqual(
      splitter.push(Buffer.alloc(150_000, 'y')).map((line) => line.length),
      [65_536, 65_536],
    );
  });
  test('each line behind its task', () => {
    const lines = [
      { task: 7, stream: 'stdout', line: 'one' },
      { task: 12, stream: 'stderr', line: 'two\u001b[2J' },
    ] as const;
    const { output } = keptOutput();
    assert.equal(
      formatLogLines(lines, output, { width: 2, prefix: true }),
      ' 7| one\n12| two\u001b[2J\n',
      'bytes stay off a terminal',
    );
    assert.equal(formatLogLines(lines, output, { width: 2, prefix: false }), 'one\ntwo\u001b[2J\n');
    assert.match(
      formatLogLines(lines, keptOutput({}, 80).output, { width: 2, prefix: true }),
      /two\\x1b\[2J/,
    );
    const json = formatLogLines(lines, keptOutput({ format: 'jsonl' }).output, { width: 2, prefix: true });
    assert.deepEqual(
      json
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
      lines,
    );
  });
  test('from a position on, whether the server knows ranges or not', async () => {
    const rest = async (): Promise<string> => {
      const log = await openLog(served.client, { job: 'J', index: 0, stream: 'stdout' }, 3);
      assert.ok(log?.complete);
      let text = '';
      for await (const chunk of log.bytes) text += Buffer.from(chunk).toString();
      return text;
    };
    const headers = { 'x-clobi-complete': '1' };
    handle = (_request, response) => response.writeHead(200, headers).end('abcdef');
    assert.equal(await rest(), 'def');
    handle = (request, response) =>
      response.writeHead(206, headers).end(request.headers.range === 'bytes=3-' ? 'def' : '?');
    assert.equal(await rest(), 'def');
    handle = (_request, response) => response.writeHead(416, headers).end();
    assert.equal(await rest(), '');
  });

  test('the coordinator’s log is followed through a rotation', async () => {
    await using temporary = await temporaryDirectory();
    const file = (number: number): string => join(temporary.path, `coordinator.${number}.log`);
    await writeFile(file(9), 'a\nb\nc\n');
    await writeFile(file(10), 'd\n');
    assert.deepEqual(await findLastLines(file(9), 2), { position: 2, lines: 2 });
    const stop = new AbortController();
    let text = '';
    const reading = (async () => {
      for await (const chunk of readLog(temporary.path, { lines: 3, follow: true, signal: stop.signal }))
        text += chunk.toString();
    })();
    await waitFor('the last lines', () => text === 'b\nc\nd\n');
    await writeFile(file(10), 'd\ne\n');
    await writeFile(file(11), 'f\n');
    await waitFor('what came', () => text === 'b\nc\nd\ne\nf\n');
    stop.abort();
    await reading;
  });
});
