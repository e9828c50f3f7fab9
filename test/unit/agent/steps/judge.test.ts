import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Ended, judge } from '../../../../agent/steps/judge.ts';
import { TaskProblem } from '../../../../agent/steps/task-problem.ts';

const LIMITS = { runMs: 1000, memoryBytes: 1024 };
const ended = (fields: Partial<Ended>): Ended => ({
  exit: { kind: 'code', code: 0 },
  stopped: undefined,
  wasOutOfMemory: false,
  problem: undefined,
  limits: LIMITS,
  ...fields,
});
const verdict = (fields: Partial<Ended>): [string, string | null] => {
  const { result, reason } = judge(ended(fields));
  return [result, reason];
};
const killed = { kind: 'signal', signal: 'SIGKILL' } as const;

describe('judge', () => {
  it('calls exit code 0 without a problem a success', () =>
    assert.deepEqual(verdict({}), ['succeeded', null]));

  it('takes what we did before what the command did', () => {
    assert.deepEqual(verdict({ stopped: 'timeout' }), ['failed', 'timeout']);
    assert.deepEqual(verdict({ stopped: 'timeout', exit: killed, wasOutOfMemory: true }), [
      'failed',
      'timeout',
    ]);
    assert.deepEqual(
      verdict({ stopped: 'cancelled', exit: undefined, problem: new TaskProblem('input', 'x') }),
      ['cancelled', 'cancelled'],
    );
  });

  it('takes the command’s own failure before that of its outputs', () => {
    const problem = new TaskProblem('output', 'missing');
    assert.deepEqual(verdict({ problem }), ['failed', 'output']);
    assert.deepEqual(verdict({ exit: { kind: 'code', code: 1 }, problem }), ['failed', 'exit']);
    assert.deepEqual(verdict({ exit: undefined, problem }), ['failed', 'output']);
    assert.deepEqual(verdict({ exit: undefined }), ['failed', 'internal']);
  });

  it('calls memory the reason only of a failure', () => {
    assert.deepEqual(verdict({ exit: killed, wasOutOfMemory: true }), ['failed', 'oom']);
    assert.deepEqual(verdict({ wasOutOfMemory: true }), ['succeeded', null]);
  });

  it('keeps messages within what an outcome may hold', () => {
    const { message } = judge(ended({ problem: new TaskProblem('internal', 'x'.repeat(10_000)) }));
    assert.ok((message?.length ?? 0) <= 4096);
  });
});
