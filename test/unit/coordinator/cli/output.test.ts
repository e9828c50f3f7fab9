import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { escapeCell, escapeLines, safeJson } from '../../../../coordinator/cli/output/escape.ts';
import { FORMATS, type Format } from '../../../../coordinator/cli/output/output.ts';
import { wantsColour } from '../../../../coordinator/cli/output/terminal.ts';
import { jobList, jobRecord } from '../../../../coordinator/cli/views.ts';
import { jobView, keptOutput } from './rig.ts';

const NOW = 1_070_000;
const jobs = [
  jobView(),
  jobView({ id: '01M85JX4HWXJ4C270NGP7QE5PJ', name: 'grüße', state: 'succeeded', endedAt: 1_012_500 }),
];

async function printed(format: Format, columns?: number): Promise<string> {
  const { output, stdout } = keptOutput({ format }, columns);
  await output.list(jobs, jobList(NOW));
  return stdout.text;
}

describe('formats of a list', () => {
  test('table: as wide as it is, right-aligned numbers, nothing cut without a terminal', async () => {
    assert.equal(
      await printed('table'),
      `JOB                         NAME   STATE      DONE  RUNNING  FAILED    AGE  TOOK
01M85JHRSFAZFW5ZZYZ8HCT926  hello  running    3/10        2       0  1m10s    1m
01M85JX4HWXJ4C270NGP7QE5PJ  grüße  succeeded  3/10        2       0  1m10s    3s
`,
    );
  });
  test('name: bare ids', async () => {
    assert.equal(await printed('name'), '01M85JHRSFAZFW5ZZYZ8HCT926\n01M85JX4HWXJ4C270NGP7QE5PJ\n');
  });
  test('json: one document; jsonl: a line each; yaml: the same values', async () => {
    const { parse } = await import('yaml');
    assert.deepEqual(JSON.parse(await printed('json')), jobs);
    const lines = (await printed('jsonl')).trimEnd().split('\n');
    assert.deepEqual(
      lines.map((line) => JSON.parse(line) as unknown),
      jobs,
    );
    assert.deepEqual(parse(await printed('yaml')), jobs);
  });
  test('wide: more columns', async () => {
    assert.match(await printed('wide'), /OWNER.*LABELS/);
  });
  test('nothing: an empty list on stdout for programs, a word on stderr for people', async () => {
    for (const format of FORMATS) {
      const { output, stdout, stderr } = keptOutput({ format });
      await output.list([], jobList(NOW));
      const isList = format === 'json' || format === 'yaml';
      assert.equal(stdout.text, isList ? '[]\n' : '', format);
      assert.equal(stderr.text.includes('No jobs'), format === 'table' || format === 'wide', format);
    }
  });
  test('pages become one document', async () => {
    const { output, stdout } = keptOutput({ format: 'json' });
    const pages = (async function* () {
      for (const job of jobs) yield [job];
    })();
    await output.list(pages, jobList(NOW));
    assert.deepEqual(JSON.parse(stdout.text), jobs);
  });
  test('on a terminal a line is no longer than the terminal', async () => {
    for (let columns = 30; columns <= 90; columns += 1) {
      const text = (await printed('table', columns)).replaceAll(/\u001b\[\d+m/g, '');
      for (const line of text.trimEnd().split('\n')) assert.ok(line.length <= columns, line);
      if (columns === 38) assert.match(text, /…/);
    }
  });
});

test('a record: fields for people, the value for programs', async () => {
  const people = keptOutput();
  await people.output.record(jobView(), jobRecord(NOW));
  assert.match(people.stdout.text, /^State: +running$/m);
  assert.match(people.stdout.text, /^Tasks: +10 \(3 succeeded, 2 running, 5 ready\)$/m);
  const programs = keptOutput({ format: 'json' });
  await programs.output.record(jobView(), jobRecord(NOW));
  assert.deepEqual(JSON.parse(programs.stdout.text), jobView());
});

test('a record without a name prints none', async () => {
  const { output, stdout } = keptOutput({ format: 'name' });
  await output.record({}, { name: () => '', fields: () => [] });
  assert.equal(stdout.text, '');
});

test('quiet: data and errors only', () => {
  const { output, stderr } = keptOutput({ quiet: true });
  output.note('hint');
  output.warn('careful');
  output.error('broken');
  assert.equal(stderr.text, 'clobi: broken\n');
});

describe('what comes from jobs cannot steer a terminal', () => {
  test('control characters, C1 codes and marks of direction are shown', () => {
    assert.equal(escapeCell('a\u001b[2Jb\nc\td\u009b\u202e'), 'a\\x1b[2Jb\\nc\\td\\x9b\\u202e');
    assert.equal(escapeLines('a\r\nb\tc\u0007'), 'a\nb\tc\\x07');
  });
  test('in tables, records and JSON', async () => {
    const evil = jobView({ name: 'x\u001b]0;owned\u0007\u009b' });
    for (const format of FORMATS) {
      const { output, stdout } = keptOutput({ format });
      await output.list([evil], jobList(NOW));
      await output.record(evil, jobRecord(NOW));
      assert.doesNotMatch(stdout.text, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/, format);
    }
    assert.equal(JSON.parse(safeJson(evil.name)), evil.name);
  });
});

test('colour: NO_COLOR wins, FORCE_COLOR without a terminal, else terminals that can', () => {
  const terminal = { isTTY: true };
  const pipe = {};
  assert.equal(wantsColour(terminal, { TERM: 'xterm' }), true);
  assert.equal(wantsColour(terminal, { TERM: 'dumb' }), false);
  assert.equal(wantsColour(terminal, { NO_COLOR: '1', FORCE_COLOR: '1' }), false);
  assert.equal(wantsColour(pipe, { CI: 'true' }), false);
  assert.equal(wantsColour(pipe, { FORCE_COLOR: '1' }), true);
  assert.equal(wantsColour(terminal, { FORCE_COLOR: '0' }), false);
});

test('what a job asked of clouds is told per task, and nothing where it asked nothing', async () => {
  const { output, stdout } = keptOutput({ format: 'table' });
  const requests = { count: 1234.4, usd: 0.000493, operations: {} };
  await output.record(jobView({ requests }), jobRecord(NOW));
  assert.match(stdout.text, /Requests: +1,234 \(410 a task\), 0\.00049 USD \(0\.00016 a task\)/);
  const without = keptOutput({ format: 'table' });
  await without.output.record(jobView(), jobRecord(NOW));
  assert.doesNotMatch(without.stdout.text, /Requests/);
});
