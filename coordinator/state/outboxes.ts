import type { JobId } from '../../shared/ids.ts';

/** Jobs that are over, and not yet marked so in the stores of the pools that had units of them (R3). */
export interface OverMarkState {
  dueOverMarks(pool: string, limit: number): { job: JobId; endedAt: number }[];
  noteOverMarked(pool: string, jobs: readonly JobId[]): void;
}

/** Files of finished tasks on their way to the place that `outputs.to` names. */
export interface PublishState {
  /** At most `limit` tasks whose time has come. */
  duePublications(now: number, limit: number): { job: JobId; index: number; tries: number }[];
  notePublished(job: JobId, index: number): void;
  /** It is not to be published any more. */
  dropPublication(job: JobId, index: number): void;
  /** All of the job that waits is due now, as if it had never been tried; how many tasks. */
  hastenPublications(job: JobId, now: number): number;
  /** What waits of the job now is not to be published any more; how many tasks. */
  giveUpPublications(job: JobId, now: number): number;
  /** `tries`: before this one. Who was hastened meanwhile stays due. False when it is not to be published any more. */
  notePublishFailure(
    job: JobId,
    index: number,
    failure: { error: string; tries: number; nextTryAt: number },
  ): boolean;
}
