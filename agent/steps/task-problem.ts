import type { Outcome } from '../../shared/wire/event.ts';

/** Ends a task before or after its command, with the reason that goes into its outcome. */
export class TaskProblem extends Error {
  readonly reason: NonNullable<Outcome['reason']>;

  constructor(reason: NonNullable<Outcome['reason']>, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'TaskProblem';
    this.reason = reason;
  }
}
