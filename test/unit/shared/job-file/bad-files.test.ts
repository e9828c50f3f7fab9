import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { ClobiError } from '../../../../shared/errors.ts';
import { loadJobFile } from '../../../../shared/job-file/load.ts';
import { parseJobFile } from '../../../../shared/job-file/parse.ts';
import { formatProblem } from '../../../../shared/job-file/problems.ts';

const BAD = join(import.meta.dirname, '../../../fixtures/job-files/bad');
const HEAD = 'apiVersion: clobi/v1\ncommand: [echo]\n';

let directory = '';
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'clobi-bad-'));
});
after(() => rm(directory, { recursive: true }));

/** The problems of a file that `loadJobFile` must refuse. */
async function refusalOf(name: string, content: string | Buffer): Promise<ClobiError> {
  const path = join(directory, name);
  await writeFile(path, content);
  return refusalOfPath(path);
}

async function refusalOfPath(path: string): Promise<ClobiError> {
  try {
    await loadJobFile(path, { owner: 'me' });
  } catch (error) {
    assert.ok(error instanceof ClobiError, String(error));
    assert.ok(Array.isArray(error.context['problems']));
    return error;
  }
  return assert.fail('the file was taken');
}

const problemsOf = (text: string): string[] => parseJobFile(text, 'job.yaml').problems.map(formatProblem);

// `expected.txt` has every problem of every file of the directory, as it is shown.
const expected = readFileSync(join(BAD, 'expected.txt'), 'utf8').trimEnd().split('\n');
const files = readdirSync(BAD).filter((name) => name !== 'expected.txt');

test('there are many bad files, and each is in the table', () => {
  assert.ok(files.length >= 80, `${files.length} files`);
  for (const line of expected) assert.match(line, /^[\w.-]+:[1-9]\d*:[1-9]\d* \S/);
});

for (const name of files) {
  test(`bad file ${name}`, () => {
    const { problems } = parseJobFile(readFileSync(join(BAD, name), 'utf8'), name);
    const wanted = expected.filter((line) => line.startsWith(`${name}:`));
    assert.ok(wanted.length > 0, 'no problem is expected of this file');
    assert.deepEqual(problems.map(formatProblem), wanted);
  });
}

test('what is no text is named as that, where it begins', async () => {
  const cases: [string, string | Buffer, RegExp][] = [
    ['empty.yaml', '', /empty\.yaml:1:1 the file is empty/],
    ['blank.yaml', '  \n\n', /:1:1 the file is empty/],
    ['nul.yaml', `${HEAD}name: a\0b\n`, /nul\.yaml:3:8 the control character 0x00/],
    ['escape.yaml', `${HEAD}description: \u001b[31m\n`, /:3:14 the control character 0x1b/],
    [
      'latin1.yaml',
      Buffer.from(`${HEAD}name: M\u00fcller\n`, 'latin1'),
      /latin1\.yaml:3:8 the file is not UTF-8/,
    ],
    ['utf16.yaml', Buffer.from(`\ufeff${HEAD}`, 'utf16le'), /:1:1 the file is UTF-16/],
    [
      'binary.yaml',
      Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0]),
      /:1:1 the control character 0x7f/,
    ],
  ];
  for (const [name, content, message] of cases) {
    const error = await refusalOf(name, content);
    assert.equal(error.code, 'INVALID_JOB', name);
    assert.match(error.message, message, name);
  }
});

test('a NUL that an escape brings in is refused', () => {
  assert.deepEqual(problemsOf('apiVersion: clobi/v1\ncommand: ["a\\0b"]\n'), [
    'job.yaml:2:11 command[0]: must not hold a NUL character',
  ]);
});

test('each limit has its message and the code LIMIT_EXCEEDED', async () => {
  const cases: [string, string, RegExp][] = [
    [
      'long.yaml',
      `${HEAD}description: ${'x'.repeat(17 * 2 ** 20)}\n`,
      /:1:1 the file has \d+ bytes, more than the 16777216/,
    ],
    [
      'deep.yaml',
      `${HEAD}array: {items: ${'['.repeat(100_000)}`,
      /:3:\d+ lists and maps are nested more than 32 deep/,
    ],
    ['deep-block.yaml', `${HEAD}array:\n${'- '.repeat(50_000)}x\n`, /nested more than 32 deep/],
    ['documents.yaml', `${HEAD}---\n`.repeat(1002), /more than 1000 documents/],
    [
      'words.yaml',
      `${HEAD}array:\n  items: [${'a,'.repeat(600_000)}a]\n`,
      /more than 1000000 words and marks; .* array\.fromFile/,
    ],
    [
      'aliases.yaml',
      `${HEAD}array:\n  items:\n    - &a x\n${'    - *a\n'.repeat(101)}`,
      /more than 100 aliases/,
    ],
  ];
  for (const [name, content, message] of cases) {
    const error = await refusalOf(name, content);
    assert.equal(error.code, 'LIMIT_EXCEEDED', `${name}: ${error.message}`);
    assert.match(error.message, message, name);
  }
});

test('a limit together with a mistake is INVALID_JOB', async () => {
  const error = await refusalOf('mixed.yaml', `${HEAD}array: {count: 99999999}\npriority: high\n`);
  assert.equal(error.code, 'INVALID_JOB');
  assert.equal(error.message.split('\n').length, 2);
});

test('a file that cannot be read is a problem too', async () => {
  await mkdir(join(directory, 'a-directory'));
  for (const [name, why] of [
    ['missing.yaml', 'there is no such file'],
    ['a-directory', 'it is a directory'],
  ] as const) {
    const error = await refusalOfPath(join(directory, name));
    assert.equal(error.code, 'INVALID_JOB');
    assert.ok(error.message.endsWith(`: cannot be read: ${why}`), error.message);
  }
});

test('problems beyond two hundred are counted', () => {
  const problems = problemsOf(
    `${HEAD}${Array.from({ length: 500 }, (_, n) => `unknown-key-${n}: 1`).join('\n')}\n`,
  );
  assert.equal(problems.length, 201);
  assert.match(problems.at(-1) ?? '', /… and 300 more problems/);
});

test('the problems of every document are named', () => {
  const text = `${HEAD}prio: 1\n---\n${HEAD}---\n${HEAD}hold: 1\n`;
  const problems = problemsOf(text);
  assert.equal(problems.length, 2);
  assert.match(problems[0] ?? '', /^job\.yaml:3:1 unknown key "prio"/);
  assert.match(problems[1] ?? '', /^job\.yaml:10:7 hold: must be true or false/);
});

test('a broken document does not hide the problems of another, nor make names unknown', () => {
  const problems = problemsOf(`${HEAD}name: [a\n---\n${HEAD}name: b\nhold: 1\ndepends: [a]\n`);
  assert.ok(
    problems.some((line) => line.includes('this is no YAML')),
    problems.join('\n'),
  );
  assert.ok(problems.every((line) => !line.includes('no job "a"')));
});

test('keys that every object has are unknown keys here', () => {
  for (const key of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
    const problems = problemsOf(`${HEAD}${key}: {polluted: true}\nenv: {${key}: x}\n`);
    assert.match(problems.join('\n'), new RegExp(`unknown key "${key}"`));
  }
  assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
});
