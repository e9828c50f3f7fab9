import { ClobiError } from '../../shared/errors.ts';
import { faultPoint } from '../../shared/fault.ts';
import type { JobId } from '../../shared/ids.ts';
import { Service } from '../../shared/service.ts';
import { eligibility } from '../core/place.ts';
import { darkVoid } from '../core/void.ts';
import type { OpenUnit, VoidReason } from '../state/store.ts';
import { commitSegmentsOf } from './claimed-segments.ts';
import type { Context, Pool } from './context.ts';
import { isDark, poolHealth } from './health.ts';
import { placePool, takesWork } from './plan.ts';

const LONGEST_INTERVAL_MS = 5_000;
const BATCH = 500;

type Void = { unit: OpenUnit['unit']; why: VoidReason };

/**
 * R9, one a pool: when the pool has been dark for longer than the hold-down, its units, sent or not, are voided for tasks that
 * have a loss left and another pool to go to; a loss that brings nobody further is spared. The others wait until the
 * pool is back, is given up by a person, or the unit's `notAfter` has passed.
 */
export class Darkness {
  readonly service: Service;
  readonly #context: Context;
  readonly #pool: Pool;
  /** Where in the pool's units the next batch begins. */
  #after = 0;

  constructor(context: Context, pool: Pool) {
    this.#context = context;
    this.#pool = pool;
    this.service = new Service({
      name: `darkness:${pool.name}`,
      intervalMs: Math.min(LONGEST_INTERVAL_MS, Math.max(50, context.config.holdDownMs / 4)),
      log: context.log,
      runOnce: () => this.runOnce(),
    });
  }

  start(): void {
    this.service.start();
  }

  async stop(): Promise<void> {
    await this.service.stop();
  }

  /** One batch of units; true when there may be more. */
  async runOnce(): Promise<boolean> {
    const { state, clock, config } = this.#context;
    if (!isDark(this.#pool)) return false;
    const { since } = poolHealth(this.#pool);
    if (since === null || clock.now() - since < config.holdDownMs) return false;
    const units = state.openUnits(this.#pool.name, this.#after, BATCH);
    this.#after = units.length < BATCH ? 0 : (units.at(-1)?.uid ?? 0);
    const due = this.#due(units);
    if (due.length > 0) await voidAll(this.#context, this.#pool, units, due);
    return units.length === BATCH;
  }

  #due(units: readonly OpenUnit[]): Void[] {
    const now = this.#context.clock.now();
    const elsewhere = new Map<JobId, boolean>();
    return units.flatMap(({ unit, job, notAfter }) => {
      const canGo = elsewhere.get(job) ?? hasElsewhere(this.#context, this.#pool, job);
      elsewhere.set(job, canGo);
      const why = darkVoid({ notAfter, elsewhere: canGo }, now);
      return why === undefined ? [] : [{ unit, why }];
    });
  }
}

/** Another pool may take the job's tasks, can be reached, and has agents. */
function hasElsewhere(context: Context, from: Pool, job: JobId): boolean {
  const spec = context.state.spec(job);
  return (
    spec !== undefined &&
    context.pools.some(
      (pool) =>
        pool !== from &&
        takesWork(context.state, pool) &&
        context.state.load(pool.name, 0).liveAgents > 0 &&
        eligibility(spec, placePool(context, pool)).eligible,
    )
  );
}

/**
 * A person gives a dark pool up: every unit there is voided, also of tasks without a loss left, which end as lost. Returns how
 * many. Rejects with `CONFLICT` while the pool is not dark.
 */
export async function giveUp(context: Context, pool: Pool): Promise<number> {
  if (!isDark(pool)) {
    throw new ClobiError(
      'CONFLICT',
      `Pool ${pool.name} is not dark: it can be reached. Its work goes on; nothing was given up.`,
    );
  }
  let given = 0;
  for (let after = 0; ; ) {
    const units = context.state.openUnits(pool.name, after, BATCH);
    const last = units.at(-1);
    if (last === undefined) return given;
    const due = units.map(({ unit }) => ({ unit, why: 'abandoned' as const }));
    await voidAll(context, pool, units, due);
    given += due.length;
    after = last.uid;
  }
}

async function voidAll(
  context: Context,
  pool: Pool,
  units: readonly OpenUnit[],
  due: readonly Void[],
): Promise<void> {
  const { state, clock, metrics, signals, log } = context;
  const wanted = new Set(due.map(({ unit }) => unit));
  try {
    // A queue may be out while the store still tells what has been done.
    await commitSegmentsOf(
      context,
      pool,
      units.filter(({ unit }) => wanted.has(unit)),
    );
  } catch (error) {
    log.warn({ pool: pool.name, err: error }, 'segments of a dark pool cannot be read');
  }
  faultPoint('dark.after-segments');
  const applied = state.voidUnits(due, clock.now());
  faultPoint('dark.after-void');
  for (const { why } of due) metrics.unitsVoided.inc({ pool: pool.name, why });
  if (applied.losses > 0)
    log.warn({ pool: pool.name, units: due.length, losses: applied.losses }, 'units of a dark pool voided');
  metrics.count(applied);
  signals.announce(applied);
}
