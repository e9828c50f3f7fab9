import { ClobiError, EXIT, type ExitCode, messageOf } from '../../shared/errors.ts';
import type { JobState } from '../../shared/task-state.ts';
import type { JobView } from '../http/api.ts';
import type { Output } from './output/output.ts';

/** Detached by Ctrl-C: what a shell reports for SIGINT. */
export const DETACHED = 130;

/** Ends a command with this exit code; what there is to say has been said. */
export class Exit extends Error {
  readonly exitCode: number;
  constructor(exitCode: number) {
    super(`exit ${exitCode}`);
    this.exitCode = exitCode;
  }
}

export const isJobOver = (state: JobState): boolean =>
  state === 'succeeded' || state === 'failed' || state === 'partial' || state === 'cancelled';

/** Undefined while the job is not over. */
export function exitCodeOfJob({ state, counts }: Pick<JobView, 'state' | 'counts'>): ExitCode | undefined {
  switch (state) {
    case 'succeeded':
      return EXIT.ok;
    case 'failed':
      return EXIT.jobFailed;
    case 'partial':
      // Some succeeded before the rest was cancelled: nothing has failed.
      return counts.failed + counts.lost > 0 ? EXIT.jobFailed : EXIT.jobCancelled;
    case 'cancelled':
      return EXIT.jobCancelled;
    case 'held':
    case 'queued':
    case 'running':
      return undefined;
    default:
      return state satisfies never;
  }
}

/** Of several: a failure tells more than a cancellation, and that more than a success. */
export function worstExitCode(codes: readonly number[]): number {
  for (const code of [EXIT.timedOut, EXIT.jobFailed, EXIT.jobCancelled])
    if (codes.includes(code)) return code;
  return codes.find((code) => code !== EXIT.ok) ?? EXIT.ok;
}

/** Says what went wrong, and gives the exit code that follows. */
export function reportFailure(error: unknown, output: Output): number {
  if (error instanceof Exit) return error.exitCode;
  if (isBrokenPipe(error)) return EXIT.ok;
  if (error instanceof ClobiError) {
    // Each problem of a job file begins with its place, as compilers print theirs, so that editors can jump there.
    if (Array.isArray(error.context['problems'])) output.plain(error.message);
    else output.error(error.message);
    if (error.code === 'INTERNAL' && process.env['CLOBI_DEBUG'] === '1') output.error(String(error.stack));
    return error.kind.exitCode;
  }
  output.error(messageOf(error));
  // Files that are not there, full disks and the like speak for themselves; a defect needs its place.
  if (!(error instanceof Error && 'code' in error))
    output.error(String(error instanceof Error ? error.stack : error));
  return EXIT.failed;
}

const isBrokenPipe = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'EPIPE';
