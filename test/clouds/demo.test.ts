import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { clobi } from '../helpers/process.ts';
import { temporaryDirectory } from '../helpers/temporary.ts';

const EXPECTED = new URL('../../examples/three-pools/expected/words.txt', import.meta.url);

test('demo clouds runs one job over three pools, says where, and brings every result', async () => {
  await using home = await temporaryDirectory();
  const { code, stdout, stderr } = await clobi(['demo', 'clouds', '--home', home.path, '-o', 'json']);
  assert.equal(code, 0, stderr);
  const shares = JSON.parse(stdout) as { pool: string; tasks: number }[];
  assert.deepEqual(shares.map(({ pool }) => pool).sort(), ['aws', 'azure', 'local']);
  assert.equal(
    shares.reduce((sum, { tasks }) => sum + tasks, 0),
    60,
  );
  assert.ok(
    shares.every(({ tasks }) => tasks > 0),
    stdout,
  );
  assert.match(stderr, /emulated/);
  const expected = await readFile(EXPECTED, 'utf8');
  for (let index = 0; index < 60; index += 1)
    assert.equal(await readFile(join(home.path, 'results', String(index), 'words.txt'), 'utf8'), expected);
});
