import { ClobiError } from '../../shared/errors.ts';

/**
 * Ids as people give them: a job is a ULID, any prefix of one that names a single job, or `last`; a task is JOB/INDEX.
 * The coordinator resolves prefixes; here only the form is looked at, so that a mistake is told without a call.
 */
const JOB = /^[0-9A-HJKMNP-TV-Z]{1,26}$/;
const TASK = /^([^/]+)\/(\d{1,10})$/;

/** A whole one, as the coordinator writes it. */
export const isJobId = (text: string): boolean => text.length === 26 && JOB.test(text);

/** The job as it goes into a URL. Letters may be given in lower case. */
export function parseJob(text: string): string {
  if (text.toLowerCase() === 'last') return 'last';
  const id = text.toUpperCase();
  if (JOB.test(id)) return id;
  const hint = TASK.test(text)
    ? ' That names a task; a job is the part before the slash.'
    : ' "clobi ps" lists them; "last" is the newest.';
  throw new ClobiError(
    'USAGE',
    `"${text}" is not a job: give its id, the beginning of its id, or "last".${hint}`,
  );
}

export interface TaskAddress {
  job: string;
  index: number;
}

/** JOB/INDEX, where JOB is what `parseJob` takes. */
export function parseTask(text: string): TaskAddress {
  const match = TASK.exec(text);
  if (match?.[1] === undefined) {
    throw new ClobiError(
      'USAGE',
      `"${text}" is not a task: write JOB/INDEX, like last/0. "clobi task list JOB" lists them.`,
    );
  }
  return { job: parseJob(match[1]), index: Number(match[2]) };
}

/** A job, or one task of it. */
export function parseJobOrTask(text: string): { job: string; index?: number } {
  return text.includes('/') ? parseTask(text) : { job: parseJob(text) };
}
