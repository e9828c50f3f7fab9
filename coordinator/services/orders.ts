import { z } from 'zod';
import { ClobiError, isCode, messageOf } from '../../shared/errors.ts';
import { faultPoint } from '../../shared/fault.ts';
import type { JobId } from '../../shared/ids.ts';
import { suggest } from '../../shared/job-file/problems.ts';
import type { ObjectStore } from '../../shared/providers/ports.ts';
import { movedKey, POOL_MODES_KEY } from '../../shared/wire/keys.ts';
import { eligibility } from '../core/place.ts';
import type { PoolMode } from '../core/pool-mode.ts';
import type { AskedBack } from '../state/store.ts';
import type { Context, Pool } from './context.ts';
import { placePool } from './plan.ts';
import { readText } from './read-segments.ts';

/** What a person orders for a pool; durable at once, and asked for twice no different from once. */
export async function orderPool(context: Context, name: string, mode: PoolMode): Promise<AskedBack> {
  const { state, clock, signals, log } = context;
  const pool = findPool(context, name);
  const asked = state.setPoolMode(pool.name, mode, clock.now());
  faultPoint('order.after-row');
  log.info({ pool: pool.name, mode, ...asked }, 'pool ordered');
  announce(context);
  await rememberModes(context);
  signals.ring('changed');
  return asked;
}

/**
 * Sends a job to one pool and no other, or (`to` null) where its placement allows again. The object first, so that a rebuild
 * knows of it; then one transaction, from which on nothing is dispatched elsewhere.
 */
export async function moveJob(
  context: Context,
  order: { job: JobId; to: string | null; pending: boolean },
): Promise<AskedBack> {
  const { state, store, clock, log } = context;
  const { job, to, pending } = order;
  if (to !== null) refuseImpossible(context, job, findPool(context, to));
  await store.put(movedKey(job), JSON.stringify({ to, at: clock.now() }));
  faultPoint('move.after-object');
  const asked = state.moveJob(job, { to, pending }, clock.now());
  faultPoint('move.after-row');
  log.info({ jobId: job, pool: to, ...asked }, 'job moved');
  announce(context);
  return asked;
}

/** Agents hear of it by the control document, queues are read, the outbox gives back what it has not sent. */
function announce({ signals }: Context): void {
  signals.ring('recalls');
  signals.ring('revokes');
  signals.ring('dispatchable');
}

/** Rejects with `NOT_FOUND` and the near miss. */
export function findPool({ pools }: Pick<Context, 'pools'>, name: string): Pool {
  const pool = pools.find((one) => one.name === name);
  if (pool !== undefined) return pool;
  const known = pools.map((one) => one.name);
  throw new ClobiError('NOT_FOUND', `There is no pool "${name}"${suggest(name, known)}.`);
}

function refuseImpossible(context: Context, job: JobId, pool: Pool): void {
  const spec = context.state.spec(job);
  if (spec === undefined) throw new ClobiError('NOT_FOUND', `There is no job ${job}.`);
  const { ruledOutBy } = eligibility(spec, placePool(context, pool), pool.name);
  if (ruledOutBy.length === 0) return;
  throw new ClobiError(
    'CONFLICT',
    `Job ${job} cannot run in pool ${pool.name}: it ${ruledOutBy.join('; it ')}. Nothing was moved.`,
  );
}

const modesSchema = z.record(z.string(), z.enum(['paused', 'draining', 'evacuated']));

/** R11, as well as it can be: an order is obeyed though the store cannot be written just now. */
async function rememberModes({ state, store, pools, log }: Context): Promise<void> {
  const modes: Record<string, PoolMode> = {};
  for (const { name } of pools) {
    const { mode } = state.poolMode(name);
    if (mode !== 'open') modes[name] = mode;
  }
  try {
    await store.put(POOL_MODES_KEY, JSON.stringify(modes));
  } catch (error) {
    log.warn({ err: error }, `orders for pools could not be stored: ${messageOf(error)}`);
  }
}

/** Orders for pools, as far as the store knows. */
export async function readModes(store: ObjectStore): Promise<[string, PoolMode][]> {
  return Object.entries(modesSchema.parse(JSON.parse(await readOr(store, POOL_MODES_KEY, '{}'))));
}

/** Where a job was moved to, as far as the store knows. */
export async function readMove(store: ObjectStore, job: JobId): Promise<string | null> {
  const text = await readOr(store, movedKey(job), '{"to":null}');
  return z.object({ to: z.string().nullable() }).parse(JSON.parse(text)).to;
}

async function readOr(store: ObjectStore, key: string, otherwise: string): Promise<string> {
  try {
    return await readText(store, key);
  } catch (error) {
    if (isCode(error, 'NOT_FOUND')) return otherwise;
    throw error;
  }
}
