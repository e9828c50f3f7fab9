import { faultPoint } from '../../shared/fault.ts';
import { Service } from '../../shared/service.ts';
import type { VoidCandidate } from '../state/store.ts';
import { commitSegmentsOf } from './claimed-segments.ts';
import { eventLeaseMs } from './collector.ts';
import type { Context, Pool } from './context.ts';
import { isDark } from './health.ts';
import type { Listening } from './listening.ts';

const BATCH = 500;
/** So many times while patience runs a queue is asked whether it is empty: each time is a request. */
const LOOKS_A_PATIENCE = 20;

/**
 * R7, one a pool: ends the claims of silent boots, reads what they wrote, and voids units that nobody holds. Does nothing
 * for a pool we cannot read.
 */
export class Rescuer {
  readonly service: Service;
  readonly #context: Context;
  readonly #pool: Pool;
  readonly #listening: Listening;
  /** Since when the conditions of patience hold without a break. */
  #patienceSince: number | undefined;
  /** The last answer of the queue, and when it was asked. */
  #look = { at: Number.NEGATIVE_INFINITY, empty: false };

  constructor(context: Context, pool: Pool, listening: Listening) {
    this.#context = context;
    this.#pool = pool;
    this.#listening = listening;
    this.service = new Service({
      name: `rescuer:${pool.name}`,
      intervalMs: Math.min(1000, Math.max(20, pool.config.timing.deadMs / 10)),
      log: context.log,
      runOnce: () => this.runOnce(),
    });
    context.signals.on('claims', () => this.service.wake());
  }

  start(): void {
    this.service.start();
  }

  async stop(): Promise<void> {
    await this.service.stop();
  }

  /** One batch of units; true when there may be more. */
  async runOnce(): Promise<boolean> {
    const { clock } = this.#context;
    // What a former life had received comes back only when its lease is over: till then we have not heard everything.
    const { timing } = this.#pool.config;
    if (isDark(this.#pool) || !this.#listening.forAtLeast(eventLeaseMs(timing), clock.now())) {
      this.#patienceSince = undefined;
      return false;
    }
    this.#endSilentBoots(clock.now());
    const patienceBefore = await this.#patienceBefore(clock.now());
    const candidates = this.#candidates(patienceBefore).slice(0, BATCH);
    if (candidates.length === 0) return false;
    await commitSegmentsOf(this.#context, this.#pool, candidates);
    faultPoint('void.after-segments');
    const voided = this.#void(candidates, patienceBefore);
    faultPoint('void.after-void');
    return voided > 0 && candidates.length === BATCH;
  }

  #endSilentBoots(now: number): void {
    const { state, log } = this.#context;
    const { deadMs } = this.#pool.config.timing;
    if (!this.#listening.forAtLeast(deadMs, now)) return;
    for (const { agent, boot } of state.endSilentBoots(this.#pool.name, now - deadMs, now)) {
      log.warn(
        { pool: this.#pool.name, agent, boot, silentMs: deadMs },
        'agent is silent; its units are taken back',
      );
    }
  }

  #candidates(patienceBefore: number | null): VoidCandidate[] {
    return this.#context.state.voidCandidates(this.#pool.name, patienceBefore);
  }

  /** Units sent before this time and never claimed may be voided; null: none. */
  async #patienceBefore(now: number): Promise<number | null> {
    const { state, config } = this.#context;
    const pool = this.#pool.name;
    const { patienceMs } = config;
    const oldest = patienceMs === null ? undefined : state.oldestUnclaimed(pool);
    if (patienceMs === null || oldest === undefined || state.load(pool, 0).liveAgents === 0) {
      this.#patienceSince = undefined;
      return null;
    }
    const overtaken = state.laterUnitHeard(pool, oldest.sentAt);
    const runs = overtaken || (await this.#readsEmpty(now, patienceMs / LOOKS_A_PATIENCE));
    if (runs) this.#patienceSince ??= now;
    else this.#patienceSince = undefined;
    const before = now - patienceMs;
    if (this.#patienceSince === undefined || this.#patienceSince > before || oldest.sentAt >= before)
      return null;
    // What is decided now rests on what the queue says now.
    const empty = await this.#readsEmpty(now, 0);
    if (!empty && !overtaken) {
      this.#patienceSince = undefined;
      return null;
    }
    // In a queue that still holds messages, only units overtaken by others are taken for missing.
    return empty || state.laterUnitHeard(pool, before) ? before : Math.min(before, oldest.sentAt + 1);
  }

  /** Whether the queue reads empty, by an answer that is younger than `maxAgeMs`. */
  async #readsEmpty(now: number, maxAgeMs: number): Promise<boolean> {
    const age = now - this.#look.at;
    // Below 0: the clock was set back.
    if (age < 0 || age >= maxAgeMs) this.#look = { at: now, empty: (await this.#pool.units.depth()) === 0 };
    return this.#look.empty;
  }

  /** While segments were read, a unit may have been claimed anew: only those still without a holder are voided. */
  #void(candidates: readonly VoidCandidate[], patienceBefore: number | null): number {
    const { state, clock, metrics, signals, log } = this.#context;
    const wanted = new Set(candidates.map(({ unit }) => unit));
    const result = state.transaction(() => {
      const still = this.#candidates(patienceBefore).filter(({ unit }) => wanted.has(unit));
      return still.length === 0 ? undefined : { still, applied: state.voidUnits(still, clock.now()) };
    });
    if (result === undefined) return 0;
    for (const { unit, why } of result.still) {
      metrics.unitsVoided.inc({ pool: this.#pool.name, why });
      log.info({ pool: this.#pool.name, unit, why }, 'unit voided');
    }
    metrics.count(result.applied);
    signals.announce(result.applied);
    return result.still.length;
  }
}
