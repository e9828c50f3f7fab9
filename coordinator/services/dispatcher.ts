import { faultPoint } from '../../shared/fault.ts';
import { Service } from '../../shared/service.ts';
import type { Context } from './context.ts';
import type { Order } from '../core/dispatch.ts';
import { anyRoom, planFor } from './plan.ts';

const IDLE_MS = 5_000;
/** Jobs looked at; more when none of these can go anywhere: they must not hide the others. */
const FIRST_CANDIDATES = 200;
const MAX_CANDIDATES = 20_000;

/**
 * R2, first half: ends backoffs, asks the planner which ready tasks go where, writes the unit rows. Sending is the
 * senders' work (sender.ts): a pool whose queue does not answer holds nobody up.
 */
export class Dispatcher {
  readonly service: Service;
  readonly #context: Context;
  #nextBackoff: NodeJS.Timeout | undefined;

  constructor(context: Context) {
    this.#context = context;
    this.service = new Service({
      name: 'dispatcher',
      intervalMs: IDLE_MS,
      log: context.log,
      runOnce: () => Promise.resolve(this.runOnce()),
    });
    context.signals.on('dispatchable', () => this.service.wake());
  }

  start(): void {
    this.service.start();
  }

  async stop(): Promise<void> {
    clearTimeout(this.#nextBackoff);
    await this.service.stop();
    clearTimeout(this.#nextBackoff);
  }

  /** One pass; true when it dispatched something, so there may be more. */
  runOnce(): boolean {
    const { state, clock, config, metrics, signals } = this.#context;
    const now = clock.now();
    const { nextAt } = state.endBackoffs(now);
    this.#wakeAt(nextAt, now);
    const orders = this.#plan();
    if (orders.length === 0) return false;
    const units = state.transaction(() =>
      orders.flatMap((order) => state.createUnits({ ...order, now, notAfter: now + config.notAfterMs })),
    );
    faultPoint('dispatch.after-row');
    for (const unit of units) metrics.tasksDispatched.inc({ pool: unit.pool }, unit.tasks.length);
    if (units.length === 0) return false;
    signals.ring('outbox');
    signals.ring('changed');
    return true;
  }

  #plan(): Order[] {
    if (!anyRoom(this.#context)) return [];
    for (let limit = FIRST_CANDIDATES; ; limit *= 10) {
      const candidates = this.#context.state.candidates(limit);
      const orders = planFor(this.#context, candidates);
      if (orders.length > 0 || candidates.length < limit || limit >= MAX_CANDIDATES) return orders;
    }
  }

  #wakeAt(at: number | null, now: number): void {
    clearTimeout(this.#nextBackoff);
    if (at === null) return;
    this.#nextBackoff = setTimeout(() => this.service.wake(), Math.min(Math.max(1, at - now), IDLE_MS));
  }
}
