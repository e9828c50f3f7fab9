import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { ClobiError } from '../../../../shared/errors.ts';
import { type LoadedJob, loadJobFile } from '../../../../shared/job-file/load.ts';
import { jobSpecSchema, taskParamsSchema } from '../../../../shared/job-spec.ts';

let root = '';
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'clobi-load-'));
});
after(() => rm(root, { recursive: true }));

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

let made = 0;
/** A fresh directory `<n>/here` with these files, and the job file in it; paths may lead out of it by `..`. */
async function layOut(job: string, files: Record<string, string> = {}): Promise<string> {
  made += 1;
  const directory = join(root, String(made), 'here');
  for (const [name, content] of Object.entries({
    ...files,
    'job.yaml': `apiVersion: clobi/v1\ncommand: [x]\n${job}`,
  })) {
    await mkdir(dirname(join(directory, name)), { recursive: true });
    await writeFile(join(directory, name), content);
  }
  return join(directory, 'job.yaml');
}

async function loadOne(job: string, files?: Record<string, string>): Promise<LoadedJob> {
  const jobs = await loadJobFile(await layOut(job, files), { owner: 'me' });
  const [first] = jobs;
  assert.ok(first !== undefined && jobs.length === 1);
  assert.deepEqual(jobSpecSchema.parse(first.submission.spec), first.submission.spec);
  for (const params of first.submission.items?.slice(0, 10) ?? [])
    assert.deepEqual(taskParamsSchema.parse(params), params);
  return first;
}

async function problemsOf(job: string, files?: Record<string, string>): Promise<string[]> {
  const path = await layOut(job, files);
  try {
    await loadJobFile(path, { owner: 'me' });
  } catch (error) {
    assert.ok(error instanceof ClobiError, String(error));
    return error.message
      .split('\n')
      .map((line) => line.replaceAll(`${dirname(path)}/`, '').replaceAll(dirname(path), '.'));
  }
  return assert.fail('the file was taken');
}

const placesOf = (job: LoadedJob): string[] => job.submission.spec.inputs.map((input) => input.to);

test('inputs by path, directory and pattern are put where they are written', async () => {
  const files = {
    'a.txt': 'A',
    'data/b.txt': 'B',
    'data/deep/c.txt': 'C',
    'data/.hidden': 'H',
    'd1.csv': '1',
    'd2.csv': '2',
    '../out.txt': 'O',
    '../lib/x.py': 'X',
  };
  const job = await loadOne('inputs: [./a.txt, data/, "*.csv", ../out.txt, ../lib]\n', files);
  assert.deepEqual(placesOf(job), [
    'a.txt',
    'data/.hidden',
    'data/b.txt',
    'data/deep/c.txt',
    'd1.csv',
    'd2.csv',
    'out.txt',
    'lib/x.py',
  ]);
  assert.deepEqual(job.submission.spec.inputs[0], {
    to: 'a.txt',
    sha256: sha256('A'),
    sizeBytes: 1,
    executable: false,
    unpack: false,
  });
  assert.deepEqual(job.uploads.find((upload) => upload.sha256 === sha256('C'))?.sizeBytes, 1);
  assert.equal(job.submission.items, undefined);
});

test('`to` moves files, into a directory when it ends in a slash', async () => {
  const files = { 'a.txt': 'A', 'data/b.txt': 'B', 'data/deep/c.txt': 'C', 'x.tar.gz': 'T' };
  const job = await loadOne(
    'inputs:\n  - {path: a.txt, to: b.txt}\n  - {path: a.txt, to: in/}\n  - {path: data, to: d}\n  - {glob: "data/**/*.txt", to: g/}\n  - {path: x.tar.gz, unpack: true, to: un/}\n  - {path: x.tar.gz, unpack: true}\n',
    files,
  );
  assert.deepEqual(placesOf(job), [
    'b.txt',
    'in/a.txt',
    'd/b.txt',
    'd/deep/c.txt',
    'g/b.txt',
    'g/deep/c.txt',
    'un',
    '.',
  ]);
  assert.equal(job.uploads.length, 4, 'one upload for each content');
});

test('a file whose name looks like a pattern is found by its name', async () => {
  const job = await loadOne('inputs: ["a[1].txt"]\n', { 'a[1].txt': 'A', 'a1.txt': 'B' });
  assert.deepEqual(placesOf(job), ['a[1].txt']);
});

test('the mode and the wanted hash are looked at', async () => {
  const path = await layOut(`inputs: [{path: run.sh, sha256: ${sha256('#!')}}]\n`, { 'run.sh': '#!' });
  await chmod(join(dirname(path), 'run.sh'), 0o755);
  const [job] = await loadJobFile(path);
  assert.equal(job?.submission.spec.inputs[0]?.executable, true);
  const problems = await problemsOf(`inputs: [{path: run.sh, sha256: ${'f'.repeat(64)}}]\n`, {
    'run.sh': '#!',
  });
  assert.match(
    problems.join(),
    /^job\.yaml:3:17 inputs\[0\]\.path: the file hashes to [0-9a-f]{64} and not to the sha256 given/,
  );
});

test('all inputs that are not there are named at once, with other mistakes', async () => {
  const problems = await problemsOf(
    'inputs:\n  - none.txt\n  - "*.none"\n  - {path: "*.txt"}\n  - {path: d, unpack: true}\nhold: 1\narray: {fromFile: no.txt}\n',
    { 'd/x': '', 'a.txt': '' },
  );
  assert.deepEqual(problems, [
    'job.yaml:4:5 inputs[0]: there is no file or directory "none.txt" in .',
    'job.yaml:5:5 inputs[1]: no file matches "*.none" in .',
    'job.yaml:6:12 inputs[2].path: there is no file or directory "*.txt" in .',
    'job.yaml:7:12 inputs[3].path: is a directory; unpack is for one file',
    'job.yaml:8:7 hold: must be true or false, not the number 1',
    'job.yaml:9:19 array.fromFile: there is no file "no.txt" in .',
  ]);
});

test('two files in one place, and an unreadable one', async () => {
  const problems = await problemsOf('inputs: [a.txt, {path: b.txt, to: a.txt}]\n', {
    'a.txt': 'A',
    'b.txt': 'B',
  });
  assert.match(problems.join(), /job\.yaml:3:24 inputs\[1\]\.path: another input is put at "a\.txt" too/);
  const below = await problemsOf('inputs: [a.txt, {path: b.txt, to: a.txt/b.txt}]\n', {
    'a.txt': 'A',
    'b.txt': 'B',
  });
  assert.match(below.join(), /inputs\[1\]\.path: "a\.txt\/b\.txt" needs a directory where .* file "a\.txt"/);
  const path = await layOut('inputs: [gone]\n');
  await symlink('nowhere', join(dirname(path), 'gone'));
  await assert.rejects(loadJobFile(path), /there is no file or directory "gone"/);
});

test('a directory that links to itself ends', async () => {
  const path = await layOut('inputs: [data]\n', { 'data/a.txt': 'A' });
  await symlink('.', join(dirname(path), 'data', 'self'));
  const [job] = await loadJobFile(path);
  assert.ok(job !== undefined && placesOf(job).includes('data/a.txt'));
  assert.ok(placesOf(job).length < 100, `${placesOf(job).length} files`);
});

test('a path with a template is for its own task, whose values stay', async () => {
  const files = { 'run.sh': 'R', 'data/a.txt': 'A', 'data/b.txt': 'B' };
  const job = await loadOne(
    'matrix: {f: [a, b], n: [1, 2]}\ninputs: [run.sh, "data/${{ matrix.f }}.txt", {path: run.sh, to: "t${{ task.index }}.sh"}]\n',
    files,
  );
  assert.deepEqual(placesOf(job), ['run.sh']);
  assert.deepEqual(job.submission.spec.tasks, { kind: 'items', count: 4 });
  assert.deepEqual(
    job.submission.items?.map((params) => [
      params.matrix?.['f'],
      params.matrix?.['n'],
      ...(params.inputs ?? []).map((input) => input.to),
    ]),
    [
      ['a', 1, 'data/a.txt', 't0.sh'],
      ['a', 2, 'data/a.txt', 't1.sh'],
      ['b', 1, 'data/b.txt', 't2.sh'],
      ['b', 2, 'data/b.txt', 't3.sh'],
    ],
  );
  assert.equal(job.uploads.length, 3);
});

test('patterns in a templated path stay patterns, those in a value do not', async () => {
  const files = { 'd/a[1]-x.txt': '1', 'd/a[1]-y.txt': '2', 'd/a1-x.txt': '3' };
  const job = await loadOne('array: {items: ["a[1]"]}\ninputs: ["d/${{ item }}-*.txt"]\n', files);
  assert.deepEqual(
    job.submission.items?.[0]?.inputs?.map((input) => input.to),
    ['d/a[1]-x.txt', 'd/a[1]-y.txt'],
  );
});

test('a task whose file is not there is named; so is a way out by a value', async () => {
  const missing = await problemsOf('array: {items: [a, b, c]}\ninputs: ["${{ item }}.txt"]\n', {
    'b.txt': 'B',
  });
  assert.deepEqual(missing, [
    'job.yaml:4:10 inputs[0]: there is no file or directory "a.txt" in . (task 0)',
    'job.yaml:4:10 inputs[0]: there is no file or directory "c.txt" in . (task 2)',
  ]);
  const outside = await problemsOf(
    'array: {items: [../../x]}\ninputs: [{path: b.txt, to: "${{ item }}"}]\n',
    { 'b.txt': 'B' },
  );
  assert.match(outside.join(), /cannot hold "\.\."/);
});

test('items of a list, a file of lines, a file of JSON lines, a pattern', async () => {
  const list = await loadOne('array: {items: [a, 2, {x: 1}]}\n');
  assert.deepEqual(list.submission, {
    spec: list.submission.spec,
    items: [{ item: 'a' }, { item: 2 }, { item: { x: 1 } }],
  });
  const lines = await loadOne('array: {fromFile: in/l.txt}\n', { 'in/l.txt': '\ufeffa b\r\n\n  c\nd' });
  assert.deepEqual(
    lines.submission.items?.map(({ item }) => item),
    ['a b', '  c', 'd'],
  );
  const jsonl = await loadOne('array: {fromFile: l.jsonl}\nenv: {X: "${{ item.x }}"}\n', {
    'l.jsonl': '{"x":1}\n{"x":"2","y":[]}\n',
  });
  assert.deepEqual(
    jsonl.submission.items?.map(({ item }) => item),
    [{ x: 1 }, { x: '2', y: [] }],
  );
  const found = await loadOne('array: {glob: "p/*.pdf"}\ninputs: ["${{ item }}"]\n', {
    'p/b.pdf': 'B',
    'p/a.pdf': 'A',
    'p/c.txt': 'C',
  });
  assert.deepEqual(
    found.submission.items?.map(({ item, inputs }) => [item, inputs?.[0]?.to]),
    [
      ['p/a.pdf', 'p/a.pdf'],
      ['p/b.pdf', 'p/b.pdf'],
    ],
  );
  const outside = await loadOne('array: {glob: "../q/*.pdf"}\ninputs: ["${{ item }}"]\n', {
    '../q/a.pdf': 'B',
  });
  assert.deepEqual(
    outside.submission.items?.map(({ item, inputs }) => [item, inputs?.[0]?.to]),
    [['../q/a.pdf', 'a.pdf']],
  );
});

test('problems in a file of items are shown in that file', async () => {
  const jsonl = { 'l.jsonl': '{"x":1}\nnonsense\n[1]\nnull\n' };
  assert.deepEqual(await problemsOf('array: {fromFile: l.jsonl}\n', jsonl), [
    'l.jsonl:2:1 this line is no JSON; in the format jsonl each line is one JSON value',
    'l.jsonl:3:1 an item must be text, a number, true, false or a map',
    'l.jsonl:4:1 an item must be text, a number, true, false or a map',
  ]);
  const lacking = await problemsOf('array: {fromFile: l.jsonl}\nenv: {X: "a ${{ item.x }}"}\n', {
    'l.jsonl': '{"x":1}\n{"y":1}\n',
  });
  assert.match(lacking.join(), /job\.yaml:4:13 item 1 has no field "x"/);
  assert.match(
    (await problemsOf('array: {fromFile: l.txt}\n', { 'l.txt': '\n\n' })).join(),
    /:3:19 array\.fromFile: "l\.txt" has no line/,
  );
  assert.match(
    (await problemsOf('array: {fromFile: l.txt}\n', { 'l.txt': 'a\0b\n' })).join(),
    /l\.txt:1:1 a NUL character/,
  );
  assert.match(
    (await problemsOf('array: {fromFile: l.txt}\n', { 'l.txt': 'x'.repeat(300_000) })).join(),
    /l\.txt:1:1 an item of 300000 bytes/,
  );
});

test('several jobs of one file, index by index', async () => {
  const second = '---\napiVersion: clobi/v1\nname: b\ncommand: [x]\ndepends: [{job: a, by: tasks}]\n';
  const jobs = await loadJobFile(await layOut(`name: a\narray: {count: 3}\n${second}array: {count: 3}\n`));
  assert.deepEqual(
    jobs.map(({ name, dependsOnNames }) => [name, dependsOnNames]),
    [
      ['a', []],
      ['b', ['a']],
    ],
  );
  assert.deepEqual(jobs[1]?.submission.spec.depends, [{ job: 'a', after: 'success', by: 'tasks' }]);
  const problems = await problemsOf(`name: a\narray: {count: 3}\n${second}array: {count: 4}\n`);
  assert.deepEqual(problems, [
    'job.yaml:9:24 depends[0].by: tasks by tasks needs as many on both sides; "a" has 3, "b" has 4',
  ]);
});
