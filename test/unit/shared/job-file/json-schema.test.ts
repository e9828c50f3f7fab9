import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jobFileJsonSchema } from '../../../../shared/job-file/json-schema.ts';
import { parseJobFile } from '../../../../shared/job-file/parse.ts';
import { jobFileSchema } from '../../../../shared/job-file/schema.ts';

type Node = Record<string, unknown>;
const schema = jobFileJsonSchema();
const properties = schema['properties'] as Record<string, Node>;

test('the schema has every field, each with a description, and no other', () => {
  assert.deepEqual(Object.keys(properties), Object.keys(jobFileSchema.shape));
  for (const [name, node] of Object.entries(properties)) {
    assert.ok(typeof node['description'] === 'string' && node['description'].length > 8, name);
  }
  assert.equal(schema['additionalProperties'], false);
  assert.deepEqual(schema['required'], ['apiVersion']);
  assert.deepEqual(schema['oneOf'], [{ required: ['command'] }, { required: ['script'] }]);
});

test('it is plain JSON, and its patterns are regular expressions', () => {
  assert.deepEqual(JSON.parse(JSON.stringify(schema)), schema);
  let patterns = 0;
  const walk = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return;
    for (const [key, value] of Object.entries(node)) {
      if (key === 'pattern' && typeof value === 'string') {
        patterns += 1;
        assert.ok(new RegExp(value, 'u') instanceof RegExp);
      } else walk(value);
    }
  };
  walk(schema);
  assert.ok(patterns > 10);
});

test('the examples in it are right by the schema and the rules', () => {
  let tried = 0;
  for (const [name, node] of Object.entries(properties)) {
    for (const example of (node['examples'] ?? []) as unknown[]) {
      const file = {
        apiVersion: 'clobi/v1',
        ...(name !== 'shell' && { command: ['x'] }),
        ...COMPANIONS[name],
        [name]: example,
      };
      const { problems } = parseJobFile(JSON.stringify(file), 'example.json');
      assert.deepEqual(problems, [], `${name}: ${JSON.stringify(example)}`);
      tried += 1;
    }
  }
  assert.ok(tried >= 15, `${tried} examples`);
});

/** What an example needs beside it. */
const COMPANIONS: Readonly<Record<string, object>> = {
  shell: { script: 'x' },
  command: { array: { items: ['a'] } },
  env: { matrix: { mode: ['a'] } },
};
