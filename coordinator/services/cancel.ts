import { faultPoint } from '../../shared/fault.ts';
import { ClobiError } from '../../shared/errors.ts';
import type { JobId } from '../../shared/ids.ts';
import { cancelKey } from '../../shared/wire/keys.ts';
import type { Context } from './context.ts';
import { readText } from './read-segments.ts';

/** What `jobs/<job>/cancel.json` holds: every cancel of the job, oldest first. `tasks` null: the whole job. */
export interface CancelRecord {
  tasks: number[] | null;
  reason: string;
  at: number;
}

/**
 * R8: the object first, so that a rebuild knows of it; then one transaction, which decides against any commit; then the
 * control documents. Returns how many open tasks it ended.
 */
export async function cancelJob(
  context: Context,
  order: { job: JobId; tasks: readonly number[] | null; reason: string },
): Promise<number> {
  const { state, store, clock, signals, log } = context;
  const spec = state.spec(order.job);
  const outside = order.tasks?.find((index) => index < 0 || index >= (spec?.tasks.count ?? 0));
  if (outside !== undefined) throw new ClobiError('NOT_FOUND', `Job ${order.job} has no task ${outside}.`);
  const record: CancelRecord = {
    tasks: order.tasks === null ? null : [...order.tasks],
    reason: order.reason,
    at: clock.now(),
  };
  const earlier = await readCancels(context, order.job);
  await store.put(cancelKey(order.job), JSON.stringify([...earlier, record]));
  faultPoint('cancel.after-object');
  const cancelled = state.cancel(order.job, order.tasks, order.reason, clock.now());
  faultPoint('cancel.after-row');
  log.info({ jobId: order.job, tasks: cancelled, reason: order.reason }, 'job cancelled');
  signals.announce({ verdicts: true, dispatchable: true, revokes: true });
  return cancelled;
}

/** The cancels of a job; none where there is no such object. */
export async function readCancels({ store }: Pick<Context, 'store'>, job: string): Promise<CancelRecord[]> {
  const key = cancelKey(job as JobId);
  if ((await store.head(key)) === undefined) return [];
  return JSON.parse(await readText(store, key)) as CancelRecord[];
}
