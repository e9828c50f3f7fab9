/** Each example as a user runs it, `clobi run`, with real processes; its results against the known answers. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { type CliResult, clobi } from '../helpers/process.ts';
import { Room, countPages, lacking } from './room.ts';

/** Runs the example's job file; its results are in `results` of the room. */
const runExample = (room: Room): Promise<CliResult> =>
  clobi([
    'run',
    room.at('job.yaml'),
    '--home',
    room.at('home'),
    '--results',
    room.at('results'),
    '--no-logs',
  ]);

const assertSucceeded = ({ code, stderr }: CliResult): void => assert.equal(code, 0, stderr);

/** Every file below the results of one job but the marker that names it, as `<index>/<path>`, sorted; none when it left no results. */
async function resultsOf(room: Room, job: string): Promise<string[]> {
  const entries = await readdir(room.at('results', job), { recursive: true, withFileTypes: true }).catch(
    () => [],
  );
  const root = room.at('results', job).length + 1;
  return entries
    .filter((entry) => entry.isFile() && entry.name !== '.clobi-job')
    .map((entry) => join(entry.parentPath, entry.name).slice(root))
    .sort();
}

const bytesOf = (room: Room, ...path: string[]): Promise<Buffer> => readFile(room.at(...path));

const sha256Of = async (room: Room, ...path: string[]): Promise<string> =>
  createHash('sha256')
    .update(await bytesOf(room, ...path))
    .digest('hex');

test('average-dates: six tasks, the means that GNU date gives', async () => {
  await using room = await Room.of('average-dates');
  assertSucceeded(await runExample(room));
  const names = [
    'leap-day-by-2',
    'leap-day-by-5',
    'new-year-by-2',
    'new-year-by-5',
    'readings-by-2',
    'readings-by-5',
  ];
  const expected = names.map((name, index) => `${index}/outputs/${name}.txt`);
  assert.deepEqual(await resultsOf(room, 'average-dates'), expected);
  for (const [index, name] of names.entries()) {
    const got = await bytesOf(room, 'results/average-dates', String(index), 'outputs', `${name}.txt`);
    assert.deepEqual(got, await bytesOf(room, 'expected', `${name}.txt`));
  }
});

test('binary-to-ascii: 159 bits are a failed task that says why, and the others succeed', async () => {
  await using room = await Room.of('binary-to-ascii');
  const { code, stderr } = await runExample(room);
  assert.equal(code, 10, stderr);
  assert.match(stderr, /159 bits are no whole number of characters of 8 bits/);
  assert.match(stderr, /\b65\b/);
  assert.deepEqual(await resultsOf(room, 'binary-to-ascii'), ['0/outputs/hello.txt', '1/outputs/whole.txt']);
  for (const [index, name] of ['hello', 'whole'].entries()) {
    const got = await bytesOf(room, 'results/binary-to-ascii', String(index), 'outputs', `${name}.txt`);
    assert.deepEqual(got, await bytesOf(room, 'expected', `${name}.txt`));
  }
});

describe('pdf-to-png', { skip: lacking('gs', 'pdfinfo', 'apt-get', 'dpkg-deb') }, () => {
  test('every page of every PDF becomes an image', async () => {
    await using room = await Room.of('pdf-to-png');
    await room.succeed('sh', 'fetch-pdfs.sh');
    assertSucceeded(await runExample(room));
    const images = await resultsOf(room, 'pdf-to-png');
    const pdfs = (await readdir(room.at('pdfs'))).sort();
    assert.equal(pdfs.length, 4);
    for (const [index, pdf] of pdfs.entries()) {
      const pages = images.filter((path) => path.startsWith(`${index}/outputs/page-`));
      assert.equal(pages.length, await countPages(room, `pdfs/${pdf}`), pdf);
    }
    for (const image of images) {
      const head = (await bytesOf(room, 'results/pdf-to-png', image)).subarray(0, 8);
      assert.equal(head.toString('latin1'), '\x89PNG\r\n\x1a\n', image);
    }
  });
});

test('pipe-histogram: eleven measurements, merged without losing a byte', async () => {
  await using room = await Room.of('pipe-histogram');
  assertSucceeded(await runExample(room));
  const measured = Array.from({ length: 11 }, (_, index) => `${index}/outputs/histogram.json`);
  assert.deepEqual(await resultsOf(room, 'pipe-measure'), measured.sort());
  const text = (await bytesOf(room, 'results/pipe-histogram/0/outputs/merged.json')).toString();
  const merged = JSON.parse(text) as Record<string, number>;
  assert.deepEqual([merged['tasks'], merged['writes'], merged['bytes']], [11, 44_301, 85_761_407]);
});

describe('snapshot-backup', { skip: lacking('tar', 'gzip', 'sha256sum') }, () => {
  test('an unchanged directory uploads nothing, a changed one a new snapshot', async () => {
    await using room = await Room.of('snapshot-backup');
    assertSucceeded(await runExample(room));
    const all = ['SHA256SUMS', 'manifest.txt', 'snapshot.tar.gz'].map((name) => `0/outputs/${name}`);
    assert.deepEqual(await resultsOf(room, 'snapshot-monday'), all);
    assert.deepEqual(await resultsOf(room, 'snapshot-tuesday'), []);
    assert.deepEqual(await resultsOf(room, 'snapshot-wednesday'), all);
    const digests = {
      monday: '20bd295912ea3862e5af50f18037b0f03b065515115f89e1c934ee3523b7b0b7',
      wednesday: '98daa821d31ca76333d58b1d2f2c44ca8897ff666eae5d9372fc1e71b820bb9e',
    };
    for (const [day, digest] of Object.entries(digests)) {
      const outputs = room.at('results', `snapshot-${day}`, '0/outputs');
      assert.equal(await sha256Of(room, 'results', `snapshot-${day}`, '0/outputs/manifest.txt'), digest);
      const check =
        'cd "$0" && sha256sum -c SHA256SUMS && mkdir x && tar xzf snapshot.tar.gz -C x && cd x && sha256sum -c ../manifest.txt';
      await room.succeed('sh', '-c', check, outputs);
    }
  });
});

test('full-chain: twenty chains of five steps end in the known histogram', async () => {
  await using room = await Room.of('full-chain');
  assertSucceeded(await runExample(room));
  const ntuples = Array.from({ length: 20 }, (_, index) => `${index}/ntuple.csv`);
  assert.deepEqual(await resultsOf(room, 'chain-ntuple'), ntuples.sort());
  const expected = (await bytesOf(room, 'expected.sha256')).toString().split(' ')[0];
  assert.equal(await sha256Of(room, 'results/full-chain/0/histogram.csv'), expected);
});
