import { faultPoint } from '../../shared/fault.ts';
import type { JobId } from '../../shared/ids.ts';
import { Service } from '../../shared/service.ts';
import { overKey } from '../../shared/wire/keys.ts';
import { OVER_MARK_VERSION, type OverMark } from '../../shared/wire/over-mark.ts';
import type { Context, Pool } from './context.ts';
import { isDark } from './health.ts';

const IDLE_MS = 10_000;
const BATCH = 200;
/** Few: a store's bad moment must not be taken for a store that is gone, and for a mark nobody waits. */
const PUTS_AT_ONCE = 2;
/** Agents, whose clocks may be behind, take a unit for good until then after its `notAfter`. */
const EXPIRY_MARGIN_MS = 3_600_000;

/**
 * R3, one a pool: marks finished jobs in the pool's store. A copy of a message that comes when all is over is a first delivery to an
 * agent that never met its unit; by the mark it knows that nobody waits for it. An outbox: a crash in between puts the mark again.
 */
export class OverMarker {
  readonly service: Service;
  readonly #context: Context;
  readonly #pool: Pool;

  constructor(context: Context, pool: Pool) {
    this.#context = context;
    this.#pool = pool;
    this.service = new Service({
      name: `over-marker:${pool.name}`,
      intervalMs: IDLE_MS,
      log: context.log,
      runOnce: () => this.runOnce(),
    });
    context.signals.on('exported', () => this.service.wake());
  }

  start(): void {
    this.service.start();
  }

  async stop(): Promise<void> {
    await this.service.stop();
  }

  /** Some jobs; true when there may be more. Throws when a mark could not be put, so that the loop waits. */
  async runOnce(): Promise<boolean> {
    if (isDark(this.#pool)) return false;
    const { state } = this.#context;
    const due = state.dueOverMarks(this.#pool.name, BATCH);
    if (due.length === 0) return false;
    const left = [...due];
    const marked: JobId[] = [];
    const lane = async (): Promise<void> => {
      for (let next = left.shift(); next !== undefined; next = left.shift()) {
        await this.#mark(next);
        marked.push(next.job);
      }
    };
    const lanes = Array.from({ length: PUTS_AT_ONCE }, () => lane().finally(() => left.splice(0)));
    const results = await Promise.allSettled(lanes);
    faultPoint('over.after-put');
    state.noteOverMarked(this.#pool.name, marked);
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    return due.length === BATCH;
  }

  async #mark({ job, endedAt }: { job: JobId; endedAt: number }): Promise<void> {
    const { state, clock, config } = this.#context;
    // Units that old are expired: no agent begins them, mark or not.
    if (endedAt < clock.now() - config.notAfterMs - EXPIRY_MARGIN_MS) return;
    const mark: OverMark = { v: OVER_MARK_VERSION, epoch: state.epoch(), endedAt };
    await this.#pool.store.put(overKey(job), JSON.stringify(mark));
  }
}
