import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compileSpec } from '../../../../shared/job-file/compile.ts';
import { orderDocuments, resolveDependencies } from '../../../../shared/job-file/depends.ts';
import { parseJobFile } from '../../../../shared/job-file/parse.ts';

const job = (name: string, depends: readonly string[], more = ''): string =>
  `apiVersion: clobi/v1\nname: ${name}\ncommand: [x]\ndepends: [${depends.join(', ')}]\n${more}`;

test('documents come after those they wait for, else as in the file', () => {
  const { documents, problems } = parseJobFile(
    [job('c', ['b']), job('z', []), job('b', ['a']), job('a', [])].join('---\n'),
    'f.yaml',
  );
  assert.deepEqual(problems, []);
  assert.deepEqual(
    documents.map(({ name }) => name),
    ['a', 'b', 'c', 'z'],
  );
});

test('jobs without a name are numbered', () => {
  const text = 'apiVersion: clobi/v1\ncommand: [x]\n';
  assert.deepEqual(
    parseJobFile(`${text}---\n${text}`, 'dir/chain.yml').documents.map(({ name }) => name),
    ['chain-1', 'chain-2'],
  );
  assert.deepEqual(
    parseJobFile(`---\n${text}---\n`, 'dir/chain.yml').documents.map(({ name }) => name),
    ['chain'],
  );
  assert.deepEqual(
    parseJobFile(text, '/dev/stdin').documents.map(({ name }) => name),
    ['stdin'],
  );
  assert.deepEqual(
    parseJobFile(text, '日本.yaml').documents.map(({ name }) => name),
    ['job'],
  );
});

test('what looks like an id passes; a wrong name does not', () => {
  const parse = (other: string): number => parseJobFile(job('a', [other]), 'f.yaml').problems.length;
  for (const id of ['01J8ZQ', '01j8zq3v5k', '01J8ZQ3V5KXW2R7N9TQYB4M6CD']) assert.equal(parse(id), 0, id);
  for (const name of ['01J8Z', 'merge1', '01J8ZQ3V5KXW2R7N9TQYB4M6CDX', '01J8ZU'])
    assert.equal(parse(name), 1, name);
});

test('names become ids, also in inputs from other jobs', () => {
  const { documents } = parseJobFile(
    job('a', ['b', '01J8ZQ'], 'inputs: [{fromJob: b, glob: "*"}]\n') + '---\n' + job('b', []),
    'f.yaml',
  );
  const document = documents.find(({ name }) => name === 'a');
  assert.ok(document !== undefined);
  const spec = compileSpec(document.value, {
    name: 'a',
    owner: 'me',
    tasks: { kind: 'count', count: 1 },
    inputs: [],
  });
  const resolved = resolveDependencies(spec, new Map([['b', '01ID']]));
  assert.deepEqual(
    resolved.depends.map((dependency) => dependency.job),
    ['01ID', '01J8ZQ'],
  );
  assert.deepEqual(
    resolved.upstreamInputs.map((input) => input.job),
    ['01ID'],
  );
  assert.deepEqual(
    spec.depends.map((dependency) => dependency.job),
    ['b', '01J8ZQ'],
    'the spec itself is not changed',
  );
});

test('any graph without circles is put in order, and any circle is found', () => {
  const graphs = fc.array(fc.uniqueArray(fc.nat(7), { maxLength: 3 }), { minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(graphs, (edges) => {
      const depends = edges.map((others, at) =>
        others.filter((other) => other < edges.length && other !== at).map((other) => `j${other}`),
      );
      const { documents, problems } = parseJobFile(
        depends.map((others, at) => job(`j${at}`, others)).join('---\n'),
        'f.yaml',
      );
      const place = new Map(orderDocuments(documents).map(({ name }, at) => [name, at]));
      const inOrder = depends.every((others, at) =>
        others.every((other) => (place.get(other) ?? 0) < (place.get(`j${at}`) ?? 0)),
      );
      assert.equal(problems.length === 0, inOrder);
      assert.equal(place.size, edges.length);
    }),
    { numRuns: 300 },
  );
});
