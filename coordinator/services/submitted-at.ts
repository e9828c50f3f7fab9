import { decodeTime } from 'ulid';
import type { JobId } from '../../shared/ids.ts';

/** A job id says when it was made, in ms since 1970; 0 for an id that is no ULID. */
export function submittedAtOf(job: JobId): number {
  try {
    return decodeTime(job);
  } catch {
    return 0;
  }
}
