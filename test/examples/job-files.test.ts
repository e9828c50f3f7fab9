/** The job files of the examples: valid, complete, and found by editors. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { jobFileSchema } from '../../shared/job-file/schema.ts';

const MODELINE = '# yaml-language-server: $schema=../../docs/job.schema.json';
const root = fileURLToPath(new URL('../../examples', import.meta.url));
const files = globSync('*/job.yaml', { cwd: root }).map((file) => `${root}/${file}`);

function documentsOf(file: string): unknown[] {
  return parseAllDocuments(readFileSync(file, 'utf8')).map((document) => {
    const value: unknown = document.toJS();
    return value;
  });
}

test('there are seven, each with a modeline for editors and a README that runs it', () => {
  assert.equal(files.length, 7);
  for (const file of files) {
    const example = basename(dirname(file));
    assert.equal(readFileSync(file, 'utf8').split('\n')[0], MODELINE, file);
    assert.match(
      readFileSync(`${dirname(file)}/README.md`, 'utf8'),
      new RegExp(`clobi run examples/${example}/job\\.yaml`),
    );
  }
});

test('every document fits the schema', () => {
  for (const file of files) {
    for (const document of documentsOf(file)) {
      const { success, error } = jobFileSchema.safeParse(document);
      assert.ok(success, `${file}: ${error?.message ?? ''}`);
    }
  }
});

test('outputs of another job are taken from one that the job waits for', () => {
  let found = 0;
  for (const file of files) {
    for (const job of documentsOf(file).map((document) => jobFileSchema.parse(document))) {
      const awaited = (job.depends ?? []).map((entry) => (typeof entry === 'string' ? entry : entry.job));
      for (const input of job.inputs ?? []) {
        if (typeof input === 'string' || input.fromJob === undefined) continue;
        assert.ok(awaited.includes(input.fromJob), `${file}: ${job.name ?? ''} takes from ${input.fromJob}`);
        found += 1;
      }
    }
  }
  assert.equal(found, 8);
});
