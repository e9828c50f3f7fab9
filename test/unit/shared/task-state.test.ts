import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  OPEN_STATES,
  TASK_STATES,
  TERMINAL_STATES,
  canMove,
  isTerminal,
  jobState,
  noTasks,
  type JobState,
  type TaskCounts,
} from '../../../shared/task-state.ts';

/** One letter a target, in the order of TASK_STATES: may a task go there? Rows are where it is. */
const TRANSITIONS = {
  //           block ready disp  run   back  succ  fail  canc  lost
  blocked: '    -     x     -     -     -     x     -     x     -',
  ready: '      -     -     x     -     -     x     -     x     x',
  dispatched: ' -     x     -     x     x     x     x     x     x',
  running: '    -     x     -     -     x     x     x     x     x',
  backoff: '    -     x     -     -     -     x     -     x     -',
  succeeded: '  -     -     -     -     -     -     -     -     -',
  failed: '     -     -     -     -     -     -     -     -     -',
  cancelled: '  -     -     -     -     -     -     -     -     -',
  lost: '       -     -     -     -     -     -     -     -     -',
};

describe('task states', () => {
  for (const from of TASK_STATES) {
    it(`moves from ${from} only where it may`, () => {
      const allowed = TRANSITIONS[from]
        .trim()
        .split(/\s+/)
        .map((letter) => letter === 'x');
      assert.deepEqual(
        TASK_STATES.map((to) => canMove(from, to)),
        allowed,
      );
    });
  }

  it('is terminal exactly where nothing follows', () => {
    assert.deepEqual(TASK_STATES.filter(isTerminal), [...TERMINAL_STATES]);
    for (const state of TASK_STATES)
      assert.equal(
        TASK_STATES.some((to) => canMove(state, to)),
        !isTerminal(state),
      );
  });

  it('lets every open task succeed (R5) and be cancelled (R8)', () => {
    for (const state of OPEN_STATES)
      assert.ok(canMove(state, 'succeeded') && canMove(state, 'cancelled'), state);
  });
});

const JOBS: [Partial<TaskCounts>, JobState, JobState][] = [
  // tasks                                        not held      held
  [{ ready: 2 }, 'queued', 'held'],
  [{ blocked: 2 }, 'queued', 'held'],
  [{ ready: 1, blocked: 1 }, 'queued', 'held'],
  [{ dispatched: 1 }, 'running', 'running'],
  [{ running: 1, ready: 5 }, 'running', 'running'],
  [{ backoff: 1 }, 'running', 'running'],
  [{ ready: 1, succeeded: 1 }, 'running', 'running'],
  [{ ready: 1, failed: 1 }, 'running', 'running'],
  [{ ready: 1, lost: 1 }, 'running', 'running'],
  [{ ready: 1, cancelled: 1 }, 'queued', 'held'],
  [{ succeeded: 3 }, 'succeeded', 'succeeded'],
  [{ failed: 3 }, 'failed', 'failed'],
  [{ lost: 3 }, 'failed', 'failed'],
  [{ failed: 1, cancelled: 2 }, 'failed', 'failed'],
  [{ lost: 1, cancelled: 2 }, 'failed', 'failed'],
  [{ cancelled: 3 }, 'cancelled', 'cancelled'],
  [{ succeeded: 1, failed: 1 }, 'partial', 'partial'],
  [{ succeeded: 1, lost: 1 }, 'partial', 'partial'],
  [{ succeeded: 1, cancelled: 1 }, 'partial', 'partial'],
  [{ succeeded: 1, failed: 1, cancelled: 1, lost: 1 }, 'partial', 'partial'],
];

describe('job state', () => {
  for (const [tasks, free, held] of JOBS) {
    it(`${JSON.stringify(tasks)} is ${free}${held === free ? '' : `, or ${held}`}`, () => {
      const counts = { ...noTasks(), ...tasks };
      assert.deepEqual([jobState(counts, false), jobState(counts, true)], [free, held]);
    });
  }
});
