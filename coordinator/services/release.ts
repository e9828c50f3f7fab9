import type { JobId } from '../../shared/ids.ts';
import type { ObjectStore } from '../../shared/providers/ports.ts';
import { releasedKey } from '../../shared/wire/keys.ts';
import type { Context } from './context.ts';

/** R11: the object first, so that a rebuild does not hold the job again; then the row. */
export async function releaseJob(
  { state, store, clock, signals }: Pick<Context, 'state' | 'store' | 'clock' | 'signals'>,
  job: JobId,
): Promise<void> {
  await store.put(releasedKey(job), JSON.stringify({ at: clock.now() }));
  state.releaseJob(job, clock.now());
  signals.ring('dispatchable');
}

/** Whether a held job was released, as far as the store knows. */
export const wasReleased = async (store: ObjectStore, job: JobId): Promise<boolean> =>
  (await store.head(releasedKey(job))) !== undefined;
