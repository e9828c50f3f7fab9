import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { glob } from 'tinyglobby';
import { isCode } from '../../../../shared/errors.ts';
import {
  compileTemplates,
  escapeGlob,
  escapeTemplate,
  parseTemplate,
  renderTask,
  renderTemplate,
  type TaskContext,
} from '../../../../shared/job-file/interpolate.ts';
import type { JobSpec } from '../../../../shared/job-spec.ts';

type Templated = Parameters<typeof compileTemplates>[0];

const context: TaskContext = {
  jobId: '01J',
  index: 7,
  count: 20,
  params: { matrix: { x: 1.5, on: true }, item: { name: 'a', deep: { er: 'b' }, none: null } },
};
const spec = (part: Partial<JobSpec>): Templated => ({
  name: 'job',
  command: ['x'],
  script: null,
  env: {},
  stdin: null,
  outputs: [],
  ...part,
});
const render = (text: string, from = context): string =>
  renderTemplate(parseTemplate(text).parts, 'job', from);

test('every value can be named', () => {
  const cases: [string, string][] = [
    ['${{ matrix.x }}', '1.5'],
    ['${{matrix.on}}', 'true'],
    ['${{ item.name }}', 'a'],
    ['${{ item.deep.er }}', 'b'],
    ['${{ item.deep }}', '{"er":"b"}'],
    ['<${{ item.none }}>', '<>'],
    ['${{ task.index }} of ${{ task.count }}', '7 of 20'],
    ['${{ task.id }}', '01J/7'],
    ['${{ job.name }}-${{ job.id }}', 'job-01J'],
    ['$ {{ x }} }} {{ $', '$ {{ x }} }} {{ $'],
    ['$${{ item.name }}', '${{ item.name }}'],
    ['$$${{ a', '$${{ a'],
    ['${{ item.name }}${{ item.name }}', 'aa'],
  ];
  for (const [text, result] of cases) assert.equal(render(text), result, text);
});

test('a value is never read as a template again, nor as a pattern of replacement', () => {
  const params = { item: '${{ task.index }} $& $1' };
  assert.equal(render('<${{ item }}>', { ...context, params }), '<${{ task.index }} $& $1>');
});

test('an escaped text renders as itself', () => {
  const texts = fc
    .array(fc.constantFrom('$', '{', '}', '${{', '}}', '$${{', ' item ', 'a'), { maxLength: 20 })
    .map((parts) => parts.join(''));
  fc.assert(fc.property(fc.oneof(texts, fc.string()), (text) => render(escapeTemplate(text)) === text));
});

test('parts and faults of any text cover it, and parsing never throws', () => {
  const texts = fc
    .array(fc.constantFrom('$', '{', '}', '${{', '}}', ' item', '.x', ' '), { maxLength: 20 })
    .map((parts) => parts.join(''));
  fc.assert(
    fc.property(texts, (text) => {
      const { parts, faults } = parseTemplate(text);
      const opens = text.split('${{').length - 1;
      for (const fault of faults) assert.ok(fault.occurrence < opens);
      for (const part of parts) assert.ok(typeof part === 'string' ? part !== '' : part.occurrence < opens);
    }),
  );
});

test('what is malformed is told apart', () => {
  assert.match(parseTemplate('a ${{ item').faults[0]?.message ?? '', /does not end with }}/);
  assert.match(parseTemplate('${{ }}').faults[0]?.message ?? '', /names nothing/);
  assert.match(parseTemplate('${{ a + b }}').faults[0]?.message ?? '', /"a \+ b" is no name/);
  assert.equal(parseTemplate('$${{ ${{ 1! }}').faults[0]?.occurrence, 1);
});

test('a task is rendered in all its parts', () => {
  const compiled = compileTemplates(
    spec({
      command: ['run', '${{ item.name }}'],
      env: { X: 'x=${{ matrix.x }}', Y: 'plain' },
      stdin: { text: 'n ${{ task.index }}\n' },
      outputs: [{ glob: 'out/${{ item.name }}/*.txt', when: 'always', required: true }],
    }),
  );
  assert.deepEqual(renderTask(compiled, context), {
    command: ['run', 'a'],
    script: null,
    env: { X: 'x=1.5', Y: 'plain' },
    stdin: { text: 'n 7\n' },
    outputs: [{ glob: 'out/a/*.txt', when: 'always', required: true }],
  });
  const script = compileTemplates(
    spec({ command: null, script: 'echo ${{ task.index }}', stdin: { path: '${{ item.name }}.txt' } }),
  );
  const task = renderTask(script, context);
  assert.deepEqual([task.command, task.script, task.stdin], [null, 'echo 7', { path: 'a.txt' }]);
});

test('without templates every task gets the same object', () => {
  const compiled = compileTemplates(spec({ command: ['a', '$HOME'] }));
  assert.equal(renderTask(compiled, context), renderTask(compiled, { ...context, index: 8 }));
});

test('a value in a glob stands for itself', async () => {
  const outputs = [{ glob: 'out-${{ item }}.*', when: 'success' as const, required: false }];
  const compiled = compileTemplates(spec({ outputs }));
  const directory = await mkdtemp(join(tmpdir(), 'clobi-glob-'));
  const items = ['a[1]', 'b*', 'c{d,e}', '!f', 'g?', 'h(i)', '@(j)', 'k|l', 'm n'];
  const others = ['a1', 'bb', 'cd', 'ce', 'f', 'gg', 'hi', 'j', 'k'];
  try {
    for (const name of [...items, ...others]) await writeFile(join(directory, `out-${name}.txt`), '');
    for (const item of items) {
      const [rule] = renderTask(compiled, { ...context, params: { item } }).outputs;
      assert.deepEqual(await glob(rule?.glob ?? '', { cwd: directory }), [`out-${item}.txt`]);
    }
  } finally {
    await rm(directory, { recursive: true });
  }
  assert.equal(escapeGlob('plain/name-1.txt'), 'plain/name-1.txt');
});

test('a reference without a value is INVALID_JOB, and so is a malformed template', () => {
  for (const text of [
    '${{ item.nothing }}',
    '${{ matrix.y }}',
    '${{ matrix }}',
    '${{ env.HOME }}',
    '${{ item.name.length }}',
    '${{ item.constructor }}',
  ]) {
    assert.throws(
      () => render(text),
      (error) => isCode(error, 'INVALID_JOB'),
      text,
    );
  }
  assert.throws(
    () => compileTemplates(spec({ command: ['${{'] })),
    (error) => isCode(error, 'INVALID_JOB'),
  );
});

test('agents load neither yaml nor zod for it', () => {
  const seen = new Set<string>();
  const follow = (file: string): void => {
    if (seen.has(file)) return;
    seen.add(file);
    for (const [, typeOnly, from] of readFileSync(file, 'utf8').matchAll(
      /^import (type )?[^;]*?from '([^']+)';/gm,
    )) {
      if (typeOnly !== undefined) continue;
      assert.ok(from?.startsWith('.') === true, `${file} imports ${from ?? ''}`);
      follow(join(dirname(file), from));
    }
  };
  for (const name of ['interpolate.ts', 'expand.ts'])
    follow(join(import.meta.dirname, '../../../../shared/job-file', name));
  assert.ok(seen.size >= 4);
});
