import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseJobFile } from '../../../../shared/job-file/parse.ts';
import { formatProblem } from '../../../../shared/job-file/problems.ts';

const HEAD = 'apiVersion: clobi/v1\ncommand: [echo]\n';

test('no text makes the parser throw', () => {
  const words = fc.constantFrom(
    ...[
      'apiVersion: clobi/v1\n',
      'command: ',
      'matrix:\n',
      '  x: ',
      '[',
      ']',
      '{',
      '}',
      '- ',
      ': ',
      '\n',
      '  ',
      '\t',
      '"',
      "'",
      '|\n',
      '&a ',
      '*a',
      '---\n',
      '...\n',
      '!t ',
      '#',
      '%',
      '? ',
      '<<: ',
      '${{ ',
      ' }}',
      'item',
      '1',
      'null',
      'include',
      'exclude',
      'array: ',
      'items: ',
      'inputs: ',
      'path',
      'range: ',
      'from',
      '.inf',
      '__proto__',
    ],
  );
  const soup = fc.array(words, { maxLength: 40 }).map((parts) => parts.join(''));
  fc.assert(
    fc.property(
      fc.oneof(
        soup,
        fc.string({ unit: 'binary' }),
        soup.map((text) => HEAD + text),
      ),
      (text) => {
        const { problems, documents } = parseJobFile(text, 'f.yaml');
        assert.ok(problems.length > 0 || documents.length > 0);
        for (const problem of problems)
          assert.ok(problem.line >= 1 && problem.column >= 1, formatProblem(problem));
      },
    ),
    { numRuns: 2000 },
  );
});

test('no JSON value in the place of a field makes the parser throw', () => {
  const fields = [
    'command',
    'script',
    'shell',
    'stdin',
    'env',
    'array',
    'matrix',
    'inputs',
    'outputs',
    'resources',
    'timeout',
    'retry',
    'depends',
    'placement',
    'failFast',
    'labels',
    'name',
    'retention',
  ];
  const inner = fc.constantFrom(
    'count',
    'items',
    'x',
    'range',
    'exclude',
    'include',
    'path',
    'glob',
    'to',
    'fromJob',
    'job',
    'by',
    'rules',
    'exitCodes',
    'run',
  );
  const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom<unknown>(
        null,
        true,
        0,
        -1,
        1.5,
        1e300,
        '',
        'a',
        '${{ item.x }}',
        '${{',
        '1-2',
        '5%',
        '10m',
        '/x',
        '..',
      ),
      fc.array(tie('tree'), { maxLength: 3 }),
      fc.dictionary(inner, tie('tree'), { maxKeys: 3 }),
    ),
  }));
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...fields), tree, { maxKeys: 5 }), (fields) => {
      const text = JSON.stringify({ apiVersion: 'clobi/v1', ...fields });
      for (const problem of parseJobFile(text, 'f.json').problems)
        assert.doesNotMatch(problem.message, /undefined|\[object|is not right/);
    }),
    { numRuns: 3000 },
  );
});
