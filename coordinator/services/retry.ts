import { ClobiError } from '../../shared/errors.ts';
import type { JobId } from '../../shared/ids.ts';
import type { JobSpec } from '../../shared/job-spec.ts';
import { canonicalJson, sha256 } from './canonical.ts';
import type { Context } from './context.ts';
import type { Submitted, Submitter } from './submitter.ts';

export interface RetryOrder {
  job: JobId;
  select: 'failed' | readonly number[];
  resources?: { cpus?: number | undefined; memoryBytes?: number | undefined } | undefined;
  idempotencyKey?: string | undefined;
}

/** A new job with the same task set, of which only the chosen tasks run. Asked twice, it gives the same job while that one runs. */
export async function retryJob(
  context: Context,
  submitter: Submitter,
  order: RetryOrder,
): Promise<Submitted> {
  const { state } = context;
  const spec = state.spec(order.job);
  if (spec === undefined) throw new ClobiError('NOT_FOUND', `There is no job ${order.job}.`);
  const indices =
    order.select === 'failed' ? state.retryable(order.job) : [...order.select].sort((a, b) => a - b);
  if (indices.length === 0)
    throw new ClobiError(
      'CONFLICT',
      `Job ${order.job} has no failed or lost tasks to run again. \`clobi retry ${order.job} --tasks 0-9\` runs any of its tasks.`,
    );
  const retry = retrySpec(spec, {
    ...order,
    indices,
    key: order.idempotencyKey ?? defaultKey(context, order, indices),
  });
  return submitter.submitAgain(retry, state.itemSet(order.job));
}

/** What the job depended on has held already; its outputs are still there to be had. */
function retrySpec(spec: JobSpec, order: RetryOrder & { indices: number[]; key: string }): JobSpec {
  const { cpus, memoryBytes } = order.resources ?? {};
  return {
    ...spec,
    idempotencyKey: order.key,
    retryOf: { job: order.job, indices: order.indices },
    depends: [],
    hold: false,
    resources: {
      ...spec.resources,
      ...(cpus === undefined ? {} : { cpus }),
      ...(memoryBytes === undefined ? {} : { memoryBytes }),
    },
  };
}

/** The same for the same request until the retry it led to is over: then the request means another one. */
function defaultKey({ state }: Context, order: RetryOrder, indices: readonly number[]): string {
  const retries = state.job(order.job)?.retriedBy ?? [];
  const over = retries.filter((job) => (state.job(job as JobId)?.endedAt ?? null) !== null).length;
  const what = sha256(canonicalJson({ indices, resources: order.resources })).slice(0, 12);
  return `retry:${order.job}:${over}:${what}`;
}
