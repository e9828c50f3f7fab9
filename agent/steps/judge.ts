import type { Outcome } from '../../shared/wire/event.ts';
import type { Exit } from '../process/exit.ts';
import type { TaskProblem } from './task-problem.ts';

/** Why we ended a task. */
export type StopReason = 'cancelled' | 'timeout' | 'oom';

export interface Ended {
  /** Undefined when the command was never begun. */
  exit: Exit | undefined;
  stopped: StopReason | undefined;
  /** The kernel killed a process of the task for want of memory. */
  wasOutOfMemory: boolean;
  problem: TaskProblem | undefined;
  /** Outputs of a failed task that could not be kept. */
  refused?: readonly string[];
  limits: { runMs: number | null; memoryBytes: number | null };
}

export type Judgement = Pick<Outcome, 'result' | 'reason' | 'exitCode' | 'signal' | 'message'>;

const LONGEST_MESSAGE = 4_000;
const MOST_REFUSED = 5;

/** What a run comes to. What we did to it comes before what it did; its own failure before that of its outputs. */
export function judge(ended: Ended): Judgement {
  const { exit } = ended;
  const observed = {
    exitCode: exit?.kind === 'code' ? exit.code : null,
    signal: exit?.kind === 'signal' ? exit.signal : exit?.kind === 'killed' ? 'SIGKILL' : null,
  };
  const [reason, message] = explain(ended);
  if (reason === null) return { result: 'succeeded', reason, message: null, ...observed };
  return {
    result: reason === 'cancelled' ? 'cancelled' : 'failed',
    reason,
    message: [message, ...(ended.refused ?? []).slice(0, MOST_REFUSED)].join(' ').slice(0, LONGEST_MESSAGE),
    ...observed,
  };
}

/** Whether the command itself did what it was to do. */
export const hasSucceeded = ({ exit, stopped }: Pick<Ended, 'exit' | 'stopped'>): boolean =>
  stopped === undefined && exit?.kind === 'code' && exit.code === 0;

function explain(ended: Ended): [reason: Outcome['reason'], message: string] {
  const { exit, stopped, problem, limits } = ended;
  if (stopped === 'cancelled') return ['cancelled', 'It was cancelled.'];
  if (stopped === 'timeout')
    return ['timeout', `It ran longer than its limit of ${limits.runMs ?? 0} ms and was ended.`];
  if (stopped === 'oom' || (ended.wasOutOfMemory && !hasSucceeded(ended)))
    return ['oom', `It used more memory than its limit of ${limits.memoryBytes ?? 0} bytes and was killed.`];
  const own = explainExit(exit);
  if (problem === undefined || (exit !== undefined && own[0] !== null)) return own;
  return [problem.reason, problem.message];
}

function explainExit(exit: Exit | undefined): [reason: Outcome['reason'], message: string] {
  switch (exit?.kind) {
    case undefined:
      return ['internal', 'The command was never begun.'];
    case 'code':
      return exit.code === 0 ? [null, ''] : ['exit', `The command ended with exit code ${exit.code}.`];
    case 'signal':
      return ['signal', `The command was ended by ${exit.signal}.`];
    case 'start':
      return ['start', exit.message];
    case 'killed':
      return [
        'internal',
        'The process that runs the tasks of this slot ended unexpectedly, and the task with it.',
      ];
  }
}
