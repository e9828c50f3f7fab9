import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { loadJobFile } from '../../../../shared/job-file/load.ts';

let directory = '';
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'clobi-scale-'));
});
after(() => rm(directory, { recursive: true }));

async function layOut(job: string, files: Record<string, string> = {}): Promise<string> {
  for (const [name, content] of Object.entries(files)) await writeFile(join(directory, name), content);
  const path = join(directory, 'job.yaml');
  await writeFile(path, `apiVersion: clobi/v1\ncommand: [x]\n${job}`);
  return path;
}

test('a count of a million is a number, and no items', async () => {
  const path = await layOut('array: {count: 1000000}\n');
  const [job] = await loadJobFile(path);
  assert.equal(job?.submission.items, undefined);
  assert.equal(job?.submission.spec.tasks.count, 1_000_000);
});

test('a file of a million lines is read whole', async () => {
  const text = Array.from({ length: 1_000_000 }, (_, n) => `data/file-${n}.txt\n`).join('');
  const path = await layOut('array: {fromFile: l.txt}\n', { 'l.txt': text });
  const [job] = await loadJobFile(path);
  assert.equal(job?.submission.items?.length, 1_000_000);
  assert.deepEqual(job.submission.items.at(-1), { item: 'data/file-999999.txt' });
});
