import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  DETACHED,
  Exit,
  exitCodeOfJob,
  reportFailure,
  worstExitCode,
} from '../../../../coordinator/cli/exit.ts';
import { parseJob, parseJobOrTask, parseTask } from '../../../../coordinator/cli/ids.ts';
import { readInlineJob, splitLines } from '../../../../coordinator/cli/inline.ts';
import { chooseDirectory, contentKey } from '../../../../coordinator/cli/local-run/home.ts';
import { type Chain, chooseRetries } from '../../../../coordinator/cli/local-run/chain.ts';
import { OPTION_PARSERS, parseIndices } from '../../../../coordinator/cli/option-values.ts';
import { RateMeter, renderJobLine } from '../../../../coordinator/cli/progress-line.ts';
import { ClobiError, ERROR_KINDS, type ErrorCode, EXIT } from '../../../../shared/errors.ts';
import { compileInline } from '../../../../shared/job-file/inline.ts';
import { JOB_STATES, noTasks } from '../../../../shared/task-state.ts';
import { describeEnd } from '../../../../coordinator/cli/wait.ts';
import { jobView, keptOutput } from './rig.ts';

describe('ids', () => {
  test('a job: a ULID, its beginning in either case, or last', () => {
    assert.equal(parseJob('last'), 'last');
    assert.equal(parseJob('01m85jhr'), '01M85JHR');
    for (const wrong of ['', '../x', 'a b', '01M8/3', 'LASTING', '0'.repeat(27)]) {
      assert.throws(
        () => parseJob(wrong),
        (error: ClobiError) => error.code === 'USAGE',
        wrong,
      );
    }
  });
  test('a task: JOB/INDEX', () => {
    assert.deepEqual(parseTask('last/12'), { job: 'last', index: 12 });
    assert.deepEqual(parseJobOrTask('01m8'), { job: '01M8' });
    for (const wrong of ['last', 'last/', 'last/-1', 'last/x', 'a/b/1']) {
      assert.throws(
        () => parseTask(wrong),
        (error: ClobiError) => error.code === 'USAGE',
        wrong,
      );
    }
  });
});

describe('exit codes', () => {
  test('of jobs', () => {
    assert.deepEqual(
      JOB_STATES.map((state) => [
        state,
        exitCodeOfJob(jobView({ state, counts: { ...noTasks(), succeeded: 1, failed: 1 } })),
      ]),
      [
        ['held', undefined],
        ['queued', undefined],
        ['running', undefined],
        ['succeeded', 0],
        ['failed', 10],
        ['partial', 10],
        ['cancelled', 11],
      ],
    );
    const cancelledHalfway = jobView({
      state: 'partial',
      counts: { ...noTasks(), succeeded: 1, cancelled: 9 },
    });
    assert.equal(exitCodeOfJob(cancelledHalfway), 11);
    assert.match(describeEnd(cancelledHalfway), /clobi explain/);
    assert.doesNotMatch(describeEnd(cancelledHalfway), /failed|retry/);
    assert.equal(worstExitCode([0, 11, 10]), 10);
    assert.equal(worstExitCode([0, 11]), 11);
    assert.equal(worstExitCode([]), 0);
  });
  test('of errors, each with its message on stderr', () => {
    for (const code of Object.keys(ERROR_KINDS) as ErrorCode[]) {
      const { output, stdout, stderr } = keptOutput();
      assert.equal(
        reportFailure(new ClobiError(code, 'why and what to do'), output),
        ERROR_KINDS[code].exitCode,
      );
      assert.equal(stderr.text, 'clobi: why and what to do\n');
      assert.equal(stdout.text, '');
    }
    assert.equal(reportFailure(new Exit(DETACHED), keptOutput().output), 130);
    assert.equal(
      reportFailure(Object.assign(new Error('no space'), { code: 'ENOSPC' }), keptOutput().output),
      EXIT.failed,
    );
  });
  test('problems of a job file begin with their place', () => {
    const { output, stderr } = keptOutput();
    const error = new ClobiError('INVALID_JOB', 'job.yaml:2:1 unknown', { context: { problems: [{}] } });
    assert.equal(reportFailure(error, output), EXIT.usage);
    assert.equal(stderr.text, 'job.yaml:2:1 unknown\n');
  });
});

test('values of options', () => {
  assert.deepEqual(parseIndices('3,7,10-12'), [3, 7, 10, 11, 12]);
  for (const wrong of ['', 'a', '5-3', '1,,2', '-1', '0-99999999'])
    assert.throws(() => parseIndices(wrong), wrong);
  assert.equal(OPTION_PARSERS.duration('10m', undefined), 600_000);
  assert.equal(OPTION_PARSERS.bytes('8GiB', undefined), 8 * 2 ** 30);
  assert.deepEqual(OPTION_PARSERS.labels('a=b=c', { x: 'y' }), { x: 'y', a: 'b=c' });
  assert.deepEqual(OPTION_PARSERS.texts('b', ['a']), ['a', 'b']);
  for (const wrong of ['0', '-1', '1.5', 'x', ''])
    assert.throws(() => OPTION_PARSERS.count(wrong, undefined), wrong);
  for (const wrong of ['0', '-1', 'NaN', ' '])
    assert.throws(() => OPTION_PARSERS.number(wrong, undefined), wrong);
});

describe('a command in place of a job file', () => {
  test('its options become the fields of a job file', async () => {
    const job = await readInlineJob(['sort', '{}'], {
      memory: 2 ** 30,
      cpus: 2,
      timeout: 90_000,
      retries: 3,
      output: ['*.txt'],
    });
    const { submission } = await compileInline(job);
    const { spec } = submission;
    assert.deepEqual(spec.command, ['sort', '{}']);
    assert.equal(spec.resources.memoryBytes, 2 ** 30);
    assert.equal(spec.resources.cpus, 2);
    assert.equal(spec.timeout.runMs, 90_000);
    assert.equal(spec.retry.limit, 3);
    assert.equal(spec.outputs[0]?.glob, '*.txt');
  });
  test('{} is the line, wherever it stands; without one the line comes last', async () => {
    const items = ['a', 'b'];
    const placed = await compileInline({ command: ['cp', '{}', 'to-{}-{}'], items });
    assert.deepEqual(placed.submission.spec.command, ['cp', '${{ item }}', 'to-${{ item }}-${{ item }}']);
    const appended = await compileInline({ command: ['ls', '${{ item }}'], items });
    assert.deepEqual(appended.submission.spec.command, ['ls', '$${{ item }}', '${{ item }}']);
  });
  test('lines of a file', () => {
    assert.deepEqual(splitLines('a\r\n\nb c\n'), ['a', 'b c']);
    assert.deepEqual(splitLines(''), []);
  });
});

describe('a local run', () => {
  test('the same files or command give the same directory, others another', () => {
    const of = (files: string[], command?: string[]): string =>
      chooseDirectory('x', { files, command, eachLine: undefined });
    assert.equal(of(['job.yaml']), of(['./job.yaml']));
    assert.notEqual(of(['job.yaml']), of(['other.yaml']));
    assert.notEqual(of([], ['a']), of([], ['b']));
  });
  test('the same content gives the same key within a generation', async () => {
    const { submission } = await compileInline({ command: ['true'] });
    assert.equal(contentKey(submission, 0), contentKey(structuredClone(submission), 0));
    assert.notEqual(contentKey(submission, 0), contentKey(submission, 1));
    assert.notEqual(contentKey(submission, 0), contentKey({ ...submission, items: [{ item: 'x' }] }, 0));
  });
  test('what failed before runs again once what it depends on has succeeded', () => {
    const chain = (name: string, state: Chain['view']['state'], dependsOn: string[] = []): Chain => ({
      name,
      dependsOn,
      jobs: ['j'],
      view: jobView({ state }),
      mayRetry: state !== 'succeeded',
    });
    const first = chain('first', 'partial');
    const second = chain('second', 'cancelled', ['first']);
    assert.deepEqual(chooseRetries([first, second]), [first]);
    first.view = jobView({ state: 'succeeded' });
    first.mayRetry = false;
    assert.deepEqual(chooseRetries([first, second]), [second]);
    second.mayRetry = false;
    assert.deepEqual(chooseRetries([first, second]), []);
  });
});

describe('progress', () => {
  const { output } = keptOutput();
  test('one line says counts, rate and time left', () => {
    const job = jobView({
      tasks: 1000,
      counts: { ...noTasks(), succeeded: 340, failed: 10, running: 2, ready: 648 },
    });
    assert.equal(
      renderJobLine(job, { rate: 13, now: 0, colours: output.colours }),
      'hello  ━━━━━━━─────────────  35%  350/1,000  running  2 running  10 failed  13/s  50s left',
    );
  });
  test('the rate is that of the last seconds', () => {
    const meter = new RateMeter();
    const at = (succeeded: number) => jobView({ counts: { ...noTasks(), succeeded } });
    meter.add(0, at(0));
    assert.equal(meter.perSecond(), undefined);
    meter.add(1000, at(10));
    assert.equal(meter.perSecond(), 10);
    meter.add(60_000, at(10));
    meter.add(61_000, at(15));
    assert.equal(meter.perSecond(), 5 / 60);
  });
});
