/** The programs of the examples, by themselves, against known answers. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { link, mkdir, readFile, readdir, symlink, writeFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { Room, countPages, lacking } from './room.ts';

const PDF_PROGRAMS = ['gs', 'pdfinfo', 'apt-get', 'dpkg-deb'];
const SNAPSHOT_PROGRAMS = ['tar', 'gzip', 'sha256sum'];

const text = (path: string): Promise<string> => readFile(path, 'utf8');

const sha256 = async (path: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(path))
    .digest('hex');

describe('average-dates', () => {
  test('the means are those that GNU date gives', async () => {
    await using room = await Room.of('average-dates');
    for (const file of ['leap-day', 'new-year', 'readings']) {
      for (const group of ['2', '5']) {
        await room.node('average-dates.mjs', group, `data/${file}.txt`, 'out.txt');
        assert.equal(await text(room.at('out.txt')), await text(room.at(`expected/${file}-by-${group}.txt`)));
      }
    }
  });

  test('a date that does not exist is refused with its line', async () => {
    await using room = await Room.of('average-dates');
    await writeFile(room.at('bad.txt'), '20240229_000000\n20230229_000000\n');
    const { code, stderr } = await room.run(process.execPath, 'average-dates.mjs', '2', 'bad.txt', 'out.txt');
    assert.equal(code, 65);
    assert.match(stderr, /bad\.txt:2: "20230229_000000" is not a date/);
    assert.equal((await room.run(process.execPath, 'average-dates.mjs', '0', 'bad.txt', 'out.txt')).code, 64);
  });
});

describe('binary-to-ascii', () => {
  test('whole characters become text', async () => {
    await using room = await Room.of('binary-to-ascii');
    for (const name of ['hello', 'whole']) {
      await room.node('binary-to-ascii.mjs', `bits/${name}.txt`, 'out.txt');
      assert.equal(await text(room.at('out.txt')), await text(room.at(`expected/${name}.txt`)));
    }
  });

  test('bad bits end with code 65, a reason and no output', async () => {
    await using room = await Room.of('binary-to-ascii');
    await writeFile(room.at('digit.txt'), '01000012');
    await writeFile(room.at('eighth.txt'), '11000001');
    const cases = [
      ['bits/one-bit-short.txt', /159 bits are no whole number of characters of 8 bits, 7 are left over/],
      ['digit.txt', /bit 8 is "2"/],
      ['eighth.txt', /character 1 is 193, and ASCII ends at 127/],
    ] as const;
    for (const [input, reason] of cases) {
      const { code, stderr } = await room.run(process.execPath, 'binary-to-ascii.mjs', input, 'out.txt');
      assert.equal(code, 65);
      assert.match(stderr, reason);
      await assert.rejects(text(room.at('out.txt')), { code: 'ENOENT' });
    }
  });
});

describe('pdf-to-png', { skip: lacking(...PDF_PROGRAMS) }, () => {
  test('Ghostscript makes as many images as poppler counts pages', async () => {
    await using room = await Room.of('pdf-to-png');
    await room.succeed('sh', 'fetch-pdfs.sh');
    const pdfs = await readdir(room.at('pdfs'));
    assert.equal(pdfs.length, 4);
    // The smallest will do here; all four go through Clobi.
    const page = 'page-%03d.png';
    await room.succeed(
      'gs',
      '-q',
      '-dNOPAUSE',
      '-dBATCH',
      '-dSAFER',
      '-sDEVICE=png16m',
      '-r60',
      `-sOutputFile=${page}`,
      'pdfs/fontconfig.pdf',
    );
    const pages = (await readdir(room.path)).filter((name) => name.startsWith('page-'));
    assert.equal(pages.length, await countPages(room, 'pdfs/fontconfig.pdf'));
  });
});

describe('pipe-histogram', () => {
  test('no byte is lost between the writes, the reads and the sum', async () => {
    await using room = await Room.of('pipe-histogram');
    const cases = [
      [1, 3000],
      [80, 5000],
      [65_537, 50],
      [7, 1],
    ] as const;
    for (const [index, [length, count]] of cases.entries()) {
      await mkdir(room.at('in', String(index)), { recursive: true });
      const pipe = `"$0" write-lines.mjs ${length} ${count} | "$0" read-chunks.mjs ${length} ${count} >in/${index}/histogram.json`;
      await room.succeed('sh', '-c', pipe, process.execPath);
    }
    await room.node('merge-histograms.mjs', 'in', 'merged.json');
    const merged = JSON.parse(await text(room.at('merged.json'))) as Record<string, number> & {
      classes: { bytes: number }[];
    };
    assert.equal(merged['tasks'], 4);
    assert.equal(merged['writes'], 8051);
    assert.equal(merged['bytes'], 3000 + 80 * 5000 + 65_537 * 50 + 7);
    assert.equal(
      merged.classes.reduce((sum, { bytes }) => sum + bytes, 0),
      merged['bytes'],
    );
  });

  test('a reader that gets too little fails, and so does a sum that is wrong', async () => {
    await using room = await Room.of('pipe-histogram');
    const { code, stderr } = await room.run(
      'sh',
      '-c',
      'printf abc | "$0" read-chunks.mjs 4 1',
      process.execPath,
    );
    assert.equal(code, 1);
    assert.match(stderr, /3 bytes came, 4 were to be written/);
    await mkdir(room.at('in'));
    const wrong = {
      length: 4,
      writes: 1,
      bytes: 4,
      reads: 1,
      readsThatEndWithALine: 1,
      chunks: [{ size: 3, reads: 1 }],
    };
    await writeFile(room.at('in/wrong.json'), JSON.stringify(wrong));
    assert.equal((await room.run(process.execPath, 'merge-histograms.mjs', 'in', 'merged.json')).code, 1);
  });
});

describe('snapshot-backup', { skip: lacking(...SNAPSHOT_PROGRAMS) }, () => {
  const MONDAY = '20bd295912ea3862e5af50f18037b0f03b065515115f89e1c934ee3523b7b0b7';

  test('a first snapshot holds all files; unchanged leaves nothing; a change makes another', async () => {
    await using room = await Room.of('snapshot-backup');
    await room.succeed('sh', 'snapshot.sh', 'data', 'none', 'monday');
    assert.equal(await sha256(room.at('monday/manifest.txt')), MONDAY);
    await room.succeed(
      'sh',
      '-c',
      'cd monday && sha256sum -c SHA256SUMS && mkdir x && tar xzf snapshot.tar.gz -C x && cd x && sha256sum -c ../manifest.txt',
    );

    assert.equal(
      await room.succeed('sh', 'snapshot.sh', 'data', 'monday/manifest.txt', 'tuesday'),
      `unchanged since ${MONDAY}\n`,
    );
    assert.ok(!(await readdir(room.path)).includes('tuesday'));

    await writeFile(room.at('data/tables/harvest-2025.csv'), await text(room.at('later/harvest-2025.csv')));
    await room.succeed('sh', 'snapshot.sh', 'data', 'monday/manifest.txt', 'wednesday');
    assert.equal(
      await sha256(room.at('wednesday/manifest.txt')),
      '98daa821d31ca76333d58b1d2f2c44ca8897ff666eae5d9372fc1e71b820bb9e',
    );
  });

  test('hard links are archived as files, symbolic links are refused', async () => {
    await using room = await Room.of('snapshot-backup');
    await link(room.at('data/tables/harvest.csv'), room.at('data/again.csv'));
    await room.succeed('sh', 'snapshot.sh', 'data', 'none', 'out');
    assert.doesNotMatch(await room.succeed('tar', 'tvzf', 'out/snapshot.tar.gz'), /link to/);
    await symlink('/etc/hostname', room.at('data/link'));
    const { code, stderr } = await room.run('sh', 'snapshot.sh', 'data', 'none', 'out');
    assert.equal(code, 65);
    assert.match(stderr, /data\/link/);
  });
});

describe('full-chain', () => {
  const runChain = async (room: Room, seed: string, chain: number): Promise<void> => {
    const dir = `in/${chain}`;
    await mkdir(room.at(dir), { recursive: true });
    await room.node('generate.mjs', seed, String(chain), '500', `${dir}/particles.csv`);
    await room.node('simulate.mjs', seed, String(chain), `${dir}/particles.csv`, `${dir}/deposits.csv`);
    await room.node('digitise.mjs', seed, String(chain), `${dir}/deposits.csv`, `${dir}/pulses.csv`);
    await room.node('reconstruct.mjs', `${dir}/pulses.csv`, `${dir}/clusters.csv`);
    await room.node('ntuple.mjs', `${dir}/clusters.csv`, `${dir}/ntuple.csv`);
  };

  test('twenty chains in any order give the known histogram, with its peak at the mass of the Z', async () => {
    await using room = await Room.of('full-chain');
    const odd = async (): Promise<void> => {
      for (let chain = 19; chain > 0; chain -= 2) await runChain(room, '20090131', chain);
    };
    const even = async (): Promise<void> => {
      for (let chain = 0; chain < 20; chain += 2) await runChain(room, '20090131', chain);
    };
    await Promise.all([odd(), even()]);
    assert.match(await room.node('merge.mjs', 'in', 'histogram.csv'), /the peak is at 91 to 92 GeV/);
    const [expected] = (await text(room.at('expected.sha256'))).split(' ');
    assert.equal(await sha256(room.at('histogram.csv')), expected);
  });

  test('what is generated conserves energy, and follows from the seed', async () => {
    await using room = await Room.of('full-chain');
    await room.node('generate.mjs', '7', '0', '200', 'a.csv');
    await room.node('generate.mjs', '7', '0', '200', 'again.csv');
    await room.node('generate.mjs', '8', '0', '200', 'b.csv');
    assert.equal(await text(room.at('a.csv')), await text(room.at('again.csv')));
    assert.notEqual(await text(room.at('a.csv')), await text(room.at('b.csv')));
    const rows = (await text(room.at('a.csv')))
      .trimEnd()
      .split('\n')
      .slice(1)
      .map((line) => line.split(',').map(Number));
    for (let n = 0; n < rows.length; n += 2) assertMassInRange(rows[n]!.slice(2), rows[n + 1]!.slice(2));
  });
});

/** Two massless particles: m² = (|a| + |b|)² − |a + b|². */
function assertMassInRange(a: number[], b: number[]): void {
  const energy = Math.hypot(...a) + Math.hypot(...b);
  const momentum = Math.hypot(...a.map((p, n) => p + b[n]!));
  const mass = Math.sqrt(energy ** 2 - momentum ** 2);
  assert.ok(mass > 60 && mass < 120, `a pair of mass ${mass}`);
}
