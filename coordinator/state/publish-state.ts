import type { JobId } from '../../shared/ids.ts';

/** Files of finished tasks on their way to the place that `outputs.to` names. */
export interface PublishState {
  /** At most `limit` tasks whose time has come. */
  duePublications(now: number, limit: number): { job: JobId; index: number; tries: number }[];
  notePublished(job: JobId, index: number): void;
  /** It is not to be published any more. */
  dropPublication(job: JobId, index: number): void;
  notePublishFailure(job: JobId, index: number, failure: { error: string; nextTryAt: number }): void;
}
