import { faultPoint } from '../../shared/fault.ts';
import { ClobiError } from '../../shared/errors.ts';
import type { JobId } from '../../shared/ids.ts';
import { cancelKey } from '../../shared/wire/keys.ts';
import { z } from 'zod';
import type { Context } from './context.ts';
import { parseJson, readText } from './read-segments.ts';

const cancelsSchema = z.array(
  z.object({ tasks: z.array(z.number().int()).nullable(), reason: z.string(), at: z.number().int() }),
);

/** What `jobs/<job>/cancel.json` holds: every cancel of the job, oldest first. `tasks` null: the whole job. */
export type CancelRecord = z.infer<typeof cancelsSchema>[number];

interface CancelOrder {
  job: JobId;
  tasks: readonly number[] | null;
  reason: string;
}

/** Cancels under way: those of one job go one after the other, for the object of each holds those before it. */
const underWay = new Map<JobId, Promise<unknown>>();

/**
 * R8: the object first, so that a rebuild knows of it; then one transaction, which decides against any commit; then the
 * control documents. Returns how many open tasks it ended.
 */
export async function cancelJob(context: Context, order: CancelOrder): Promise<number> {
  const before = underWay.get(order.job) ?? Promise.resolve();
  const cancelling = before.then(
    () => cancel(context, order),
    () => cancel(context, order),
  );
  underWay.set(order.job, cancelling);
  try {
    return await cancelling;
  } finally {
    if (underWay.get(order.job) === cancelling) underWay.delete(order.job);
  }
}

async function cancel(context: Context, order: CancelOrder): Promise<number> {
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

/** The cancels of a job; none where there is no such object. One that cannot be read must not hold up a new one. */
export async function readCancels(
  { store, log }: Pick<Context, 'store' | 'log'>,
  job: JobId,
): Promise<CancelRecord[]> {
  const key = cancelKey(job);
  if ((await store.head(key)) === undefined) return [];
  const { data, error } = cancelsSchema.safeParse(parseJson(await readText(store, key)));
  if (error !== undefined) log.error({ jobId: job, key, err: error }, 'the cancels of a job cannot be read');
  return data ?? [];
}
