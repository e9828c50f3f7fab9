import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isCode, messageOf } from '../../../../shared/errors.ts';
import { compileInline } from '../../../../shared/job-file/inline.ts';
import { compileTemplates, renderTask } from '../../../../shared/job-file/interpolate.ts';
import { jobSpecSchema } from '../../../../shared/job-spec.ts';

test('a command becomes a job of one task', async () => {
  const { name, submission, uploads } = await compileInline(
    { command: ['/usr/bin/echo', 'a b', '{}'] },
    { owner: 'me' },
  );
  assert.equal(name, 'echo');
  assert.deepEqual(submission.spec.command, ['/usr/bin/echo', 'a b', '{}']);
  assert.deepEqual(submission.spec.tasks, { kind: 'count', count: 1 });
  assert.equal(submission.spec.owner, 'me');
  assert.deepEqual(uploads, []);
  assert.deepEqual(jobSpecSchema.parse(submission.spec), submission.spec);
});

test('the command is taken as it is, whatever it looks like', async () => {
  const command = ['echo', '${{ item }}', '$${{', '}}'];
  const { submission } = await compileInline({ command });
  const task = renderTask(compileTemplates(submission.spec), { jobId: '01', index: 0, count: 1, params: {} });
  assert.deepEqual(task.command, command);
});

test('{} stands for the item, which comes last without it', async () => {
  const render = async (command: string[]): Promise<unknown> => {
    const { submission } = await compileInline({ command, items: ['a', '${{ b }}'] });
    assert.deepEqual(submission.spec.tasks, { kind: 'items', count: 2 });
    const params = submission.items?.[1] ?? {};
    return renderTask(compileTemplates(submission.spec), { jobId: '01', index: 1, count: 2, params }).command;
  };
  assert.deepEqual(await render(['cp', '{}', '{}.bak-$${{']), ['cp', '${{ b }}', '${{ b }}.bak-$${{']);
  assert.deepEqual(await render(['gzip']), ['gzip', '${{ b }}']);
});

test('other fields go by the schema and the rules of the job file', async () => {
  const { submission } = await compileInline({
    command: ['x'],
    name: 'n',
    outputs: ['*.txt'],
    resources: { memory: '1GiB' },
    timeout: '5s',
    retry: 2,
  });
  assert.equal(submission.spec.name, 'n');
  assert.equal(submission.spec.resources.memoryBytes, 2 ** 30);
  assert.equal(submission.spec.retry.limit, 2);
  await assert.rejects(
    compileInline({ command: ['x'], outputs: ['/x'], resources: { memory: '1G' } }),
    (error: unknown) => {
      assert.ok(isCode(error, 'INVALID_JOB'));
      assert.match(messageOf(error), /^command line: outputs\[0\]: must be inside /m);
      assert.match(messageOf(error), /^command line: resources\.memory: "1G" is not a size/m);
      return true;
    },
  );
  await assert.rejects(compileInline({ command: [] }), (error: unknown) => isCode(error, 'INVALID_JOB'));
});

test('inputs are found from the directory given', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'clobi-inline-'));
  try {
    await writeFile(join(directory, 'in.txt'), 'x');
    const { submission, uploads } = await compileInline(
      { command: ['cat', 'in.txt'], inputs: ['in.txt'] },
      { directory },
    );
    assert.deepEqual(
      submission.spec.inputs.map((input) => input.to),
      ['in.txt'],
    );
    assert.equal(uploads[0]?.file, join(directory, 'in.txt'));
  } finally {
    await rm(directory, { recursive: true });
  }
});

test('a million items are compiled', async () => {
  const items = Array.from({ length: 1_000_000 }, (_, n) => `line ${n}`);
  const { submission } = await compileInline({ command: ['echo'], items });
  assert.equal(submission.items?.length, 1_000_000);
});
