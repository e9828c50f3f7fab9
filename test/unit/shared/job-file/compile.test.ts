import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compileSpec } from '../../../../shared/job-file/compile.ts';
import { parseJobFile } from '../../../../shared/job-file/parse.ts';
import { renderRemote } from '../../../../shared/job-file/remote-inputs.ts';
import { formatProblem } from '../../../../shared/job-file/problems.ts';
import { type JobSpec, jobSpecSchema } from '../../../../shared/job-spec.ts';

function compile(text: string): JobSpec {
  const { documents, problems } = parseJobFile(`apiVersion: clobi/v1\n${text}`, 'some dir/my job.yaml');
  assert.deepEqual(problems.map(formatProblem), []);
  const [document] = documents;
  assert.ok(document !== undefined);
  const spec = compileSpec(document.value, {
    name: document.name,
    owner: 'me',
    tasks: { kind: 'count', count: 1 },
    inputs: [],
  });
  assert.deepEqual(jobSpecSchema.parse(spec), spec, 'the spec is complete and right by its own schema');
  return spec;
}

test('a command alone gets every default', () => {
  assert.deepEqual(compile('command: [echo, hi]'), {
    v: 1,
    name: 'my-job',
    description: '',
    labels: {},
    owner: 'me',
    priority: 0,
    tasks: { kind: 'count', count: 1 },
    command: ['echo', 'hi'],
    script: null,
    shell: ['/bin/sh', '-eu'],
    stdin: null,
    env: {},
    inputs: [],
    upstreamInputs: [],
    outputs: [],
    resources: { cpus: 1, memoryBytes: null, diskBytes: null, gpus: 0 },
    timeout: { runMs: null, queueMs: null, graceMs: 10_000 },
    retry: { limit: 0, lost: 3, backoff: { initialMs: 1000, factor: 2, maxMs: 300_000 }, rules: [] },
    maxParallel: null,
    failFast: null,
    depends: [],
    placement: { require: {}, prefer: {} },
    hold: false,
    retention: { resultsMs: null, logsMs: null },
  });
});

test('every field reaches the spec', () => {
  const spec = compile(`
kind: Job
name: full
description: All of it
labels: {a: b}
owner: you
priority: -5
idempotencyKey: k1
script: |
  echo hi
shell: bash
stdin: {path: in.txt}
env: {A: "1"}
inputs: [{fromJob: 01J8ZQ, glob: "*.txt", to: in/}]
outputs: ["*.txt", {glob: "*.log", when: failure, required: true}]
resources: {cpus: 0.5, memory: 2GiB, disk: 1GB, gpus: 1}
timeout: {run: 1h, queue: 1d, grace: 0s}
retry:
  limit: 4
  lost: 0
  backoff: {initial: 2s, factor: 3, max: 1m}
  rules:
    - {exitCodes: [1, "64-66", "65"], action: fail}
    - {signals: [KILL, SIGTERM], timeout: true, oom: true, action: retry}
maxParallel: 8
failFast: 12.5%
depends: [{job: 01J8ZQ, after: end, by: job}]
placement:
  pool: local
  arch: [x86_64, amd64, aarch64]
  labels: {disk: ssd}
  require: {region: [a, b]}
  prefer: {provider: aws}
hold: true
retention: {results: 30d, logs: 7d}
`);
  assert.equal(spec.name, 'full');
  assert.equal(spec.owner, 'you');
  assert.equal(spec.priority, -5);
  assert.equal(spec.idempotencyKey, 'k1');
  assert.deepEqual(
    [spec.command, spec.script, spec.shell],
    [null, 'echo hi\n', ['bash', '-euo', 'pipefail']],
  );
  assert.deepEqual(spec.stdin, { path: 'in.txt' });
  assert.deepEqual(spec.upstreamInputs, [{ job: '01J8ZQ', glob: '*.txt', to: 'in' }]);
  assert.deepEqual(spec.outputs, [
    { glob: '*.txt', when: 'success', required: false },
    { glob: '*.log', when: 'failure', required: true },
  ]);
  assert.deepEqual(spec.resources, { cpus: 0.5, memoryBytes: 2 ** 31, diskBytes: 1e9, gpus: 1 });
  assert.deepEqual(spec.timeout, { runMs: 3_600_000, queueMs: 86_400_000, graceMs: 0 });
  assert.deepEqual(spec.retry, {
    limit: 4,
    lost: 0,
    backoff: { initialMs: 2000, factor: 3, maxMs: 60_000 },
    rules: [
      { exitCodes: [1, 64, 65, 66], action: 'fail' },
      { signals: ['SIGKILL', 'SIGTERM'], timeout: true, oom: true, action: 'retry' },
    ],
  });
  assert.equal(spec.maxParallel, 8);
  assert.deepEqual(spec.failFast, { percent: 12.5 });
  assert.deepEqual(spec.depends, [{ job: '01J8ZQ', after: 'end', by: 'job' }]);
  assert.deepEqual(spec.placement, {
    require: { pools: ['local'], archs: ['x64', 'arm64'], labels: { disk: 'ssd' }, regions: ['a', 'b'] },
    prefer: { providers: ['aws'] },
  });
  assert.equal(spec.hold, true);
  assert.deepEqual(spec.retention, { resultsMs: 30 * 86_400_000, logsMs: 7 * 86_400_000 });
});

test('short forms mean what they are short for', () => {
  const spec = compile(
    'script: "true"\ntimeout: 10m\nretry: 2\nfailFast: 1\nstdin: "a\\n"\nshell: [python3, -u]\noutputs: [x]\n',
  );
  assert.equal(spec.timeout.runMs, 600_000);
  assert.equal(spec.retry.limit, 2);
  assert.deepEqual(spec.failFast, { count: 1 });
  assert.deepEqual(spec.stdin, { text: 'a\n' });
  assert.deepEqual(spec.shell, ['python3', '-u']);
  assert.deepEqual(compile('script: "1"\nshell: python3\n').shell, ['python3']);
});

test('a first pause above the longest raises the longest', () => {
  assert.deepEqual(
    compile('command: [x]\nretry: {limit: 1, backoff: {initial: 10m}}').retry.backoff.maxMs,
    600_000,
  );
});

test('JSON is taken as it is, with tabs and all', () => {
  const { documents, problems } = parseJobFile(
    '{\n\t"apiVersion": "clobi/v1",\n\t"command": ["a", "\\u0062"]\n}\n',
    'x.json',
  );
  assert.deepEqual(problems, []);
  assert.deepEqual(documents[0]?.value.command, ['a', 'b']);
  assert.equal(documents[0].name, 'x');
});

test('anchors and aliases of YAML work', () => {
  const spec = compile('command: &c [echo, hi]\nenv: {A: &v "1", B: *v}\n');
  assert.deepEqual(spec.env, { A: '1', B: '1' });
});

test('inputs by reference, and the place where outputs are published', () => {
  const hash = 'a'.repeat(64);
  const spec = compile(`
command: [cat, x]
array: {items: [x, y]}
inputs:
  - s3://bucket/a/b.csv
  - {url: 'https://example.org/d.tar.gz?v=\${{ item }}', to: d/, sha256: ${hash}, unpack: true}
outputs: {files: [out, {glob: log, when: always}], to: azblob://account/container/here}
`);
  assert.deepEqual(spec.remoteInputs, [
    { url: 's3://bucket/a/b.csv', to: null, sha256: null, unpack: false },
    { url: 'https://example.org/d.tar.gz?v=${{ item }}', to: 'd/', sha256: hash, unpack: true },
  ]);
  assert.deepEqual(
    spec.outputs.map(({ glob, when }) => [glob, when]),
    [
      ['out', 'success'],
      ['log', 'always'],
    ],
  );
  assert.equal(spec.publish, 'azblob://account/container/here');
});

test('where an input by reference goes', () => {
  const place = (url: string, to: string | null, unpack = false) =>
    renderRemote({ url, to, unpack, sha256: null }, 'name', {
      jobId: 'J',
      index: 3,
      count: 9,
      params: { item: 'a b/c#?%.txt' },
    });
  assert.deepEqual(place('s3://b/x/${{ item }}', null), {
    url: 's3://b/x/a%20b/c%23%3F%25.txt',
    to: 'c#?%.txt',
  });
  assert.equal(place('s3://b/x/y.txt', 'in/').to, 'in/y.txt');
  assert.equal(place('s3://b/x/y.txt', 'in/${{ task.index }}').to, 'in/3');
  assert.equal(place('https://h/a.tar', null, true).to, '.');
  assert.equal(place('https://h/a.tar', 'd/', true).to, 'd');
  assert.equal(place('https://h/?a=1', null).to, 'input');
  assert.equal(place('https://h/x%2F..%2F..%2Fy', null).to, 'x_.._.._y');
});
