import { faultPoint } from '../../shared/fault.ts';
import type { UnitId } from '../../shared/ids.ts';
import type { SendResult } from '../../shared/providers/ports.ts';
import { isRefused } from '../../shared/providers/guard/breaker.ts';
import { troubleOf } from '../../shared/providers/trouble.ts';
import { ClobiError, messageOf } from '../../shared/errors.ts';
import { Service } from '../../shared/service.ts';
import type { UnitRow } from '../state/store.ts';
import type { BuiltUnit, UnitBuilder } from './build-unit.ts';
import type { Context, Pool } from './context.ts';
import { isDark } from './health.ts';
import type { Stager } from './stager.ts';

const IDLE_MS = 5_000;
const BATCH = 100;
const TAKEN_BACK_AT_ONCE = 5_000;

/**
 * R2, second half, one a pool: the outbox. Sends the unit rows not yet marked sent, those of a former life first, then marks
 * them. A unit that must never be started twice (`retry.lost: 0`) is marked before it is sent. What fails stays in the outbox.
 */
export class Sender {
  readonly service: Service;
  readonly #context: Context;
  readonly #pool: Pool;
  readonly #builder: UnitBuilder;
  readonly #stager: Stager;
  /** Objects put in this life; equal params are uploaded once. */
  readonly #putKeys = new Set<string>();
  /** Units that could not be built; they stay in the outbox, and must not fill every batch of it. */
  readonly #unbuilt = new Set<UnitId>();

  /** Units that a send was begun for and not marked: their messages may be out. */
  readonly #tried = new Set<UnitId>();

  readonly #startedAt: number;

  constructor(context: Context, pool: Pool, parts: { builder: UnitBuilder; stager: Stager }) {
    this.#context = context;
    this.#pool = pool;
    this.#builder = parts.builder;
    this.#stager = parts.stager;
    this.#startedAt = context.clock.now();
    this.service = new Service({
      name: `sender:${pool.name}`,
      intervalMs: IDLE_MS,
      log: context.log,
      runOnce: () => this.runOnce(),
    });
    context.signals.on('outbox', () => this.service.wake());
    // Not by a pass: that one may be waiting for a queue which does not answer.
    context.signals.on('recalls', () => {
      this.#withoutRecalled(context.state.unsentUnits(pool.name, Number.MAX_SAFE_INTEGER));
    });
  }

  start(): void {
    // A former life may have sent them.
    for (const { unit } of this.#context.state.unsentUnits(this.#pool.name, Number.MAX_SAFE_INTEGER))
      this.#tried.add(unit);
    this.service.start();
  }

  async stop(): Promise<void> {
    await this.service.stop();
  }

  /** One batch; true when the outbox may hold more. Throws when a unit could not be sent, so that the loop waits. */
  async runOnce(): Promise<boolean> {
    if (isDark(this.#pool)) return this.#leaveDarkPool();
    const { state } = this.#context;
    const limit = BATCH + this.#unbuilt.size;
    const waiting = state.unsentUnits(this.#pool.name, limit, this.#stager.waiting());
    const unsent = this.#withoutRecalled(waiting);
    const units = unsent.flatMap((row) => this.#build(row));
    const rows = units.map(({ row }) => row);
    if (rows.length === 0) return unsent.length < waiting.length || unsent.length >= limit;
    const early = rows.filter((row) => row.markFirst);
    await this.#prepare(units, early);
    // While we waited, one of them may have been cancelled or voided: what must not start twice must not start then.
    if (early.length > 0 && !state.areUnsent(early.map(({ unit }) => unit))) return true;
    this.#mark(early);
    faultPoint('dispatch.before-send');
    const results = await this.#send(units);
    faultPoint('dispatch.after-send');
    const sent = rows.filter((_, at) => results[at]?.ok === true);
    this.#mark(sent.filter((row) => !early.includes(row)));
    faultPoint('dispatch.after-mark');
    this.#count(sent);
    this.#logUnknown(
      rows.filter((row, at) => row.markFirst && !sent.includes(row) && !wasNotSent(results[at])),
    );
    this.#throwFailures(results);
    return waiting.length >= limit;
  }

  /** Everything up to the point from which on messages may be out. What fails before has not been tried. */
  async #prepare(
    units: readonly { row: UnitRow; built: BuiltUnit }[],
    early: readonly UnitRow[],
  ): Promise<void> {
    const fresh = units.map(({ row }) => row.unit).filter((unit) => !this.#tried.has(unit));
    for (const unit of fresh) this.#tried.add(unit);
    try {
      for (const { built } of units)
        for (const check of built.claimChecks) await this.#putOnce(check.key, check.body);
      faultPoint('dispatch.after-params');
      // Marked and not sent, they would be lost for ever: nothing is marked while the queue cannot be reached.
      if (early.length > 0) await this.#pool.units.depth();
      const refusal = this.#pool.guard.refusal('units.send');
      if (refusal !== undefined) throw refusal;
    } catch (error) {
      for (const unit of fresh) this.#tried.delete(unit);
      throw error;
    }
  }

  /** Never rejects. What its server refused is not sent, whatever was marked before. */
  async #send(units: readonly { row: UnitRow; built: BuiltUnit }[]): Promise<SendResult[]> {
    const results = await this.#pool.units
      .send(units.map(({ built }) => built.message))
      .catch((cause: unknown) => units.map((): SendResult => ({ ok: false, retryable: false, cause })));
    const refused = units.filter((_, at) => wasNotSent(results[at])).map(({ row }) => row);
    for (const { unit } of refused) this.#tried.delete(unit);
    const marked = refused.filter(({ markFirst }) => markFirst).map(({ unit }) => unit);
    if (marked.length > 0) this.#context.state.unmarkSent(marked);
    return results;
  }

  /** R9: what has certainly not been sent leaves a dark pool at once, and that is nobody's loss. */
  #leaveDarkPool(): boolean {
    const { state, metrics } = this.#context;
    const unsent = state.unsentUnits(this.#pool.name, TAKEN_BACK_AT_ONCE);
    const free = unsent.filter((row) => this.#wasNeverSent(row));
    if (free.length === 0) return false;
    this.#takeBack(free);
    metrics.unitsVoided.inc({ pool: this.#pool.name, why: 'unsent' }, free.length);
    return unsent.length === TAKEN_BACK_AT_ONCE;
  }

  /** For certain: a row of a former life may have been sent and not been marked, but for those marked first. */
  #wasNeverSent({ unit, markFirst, createdAt }: UnitRow): boolean {
    return markFirst || (createdAt >= this.#startedAt && !this.#tried.has(unit));
  }

  #takeBack(rows: readonly UnitRow[]): void {
    const { state, clock, metrics, signals } = this.#context;
    const applied = state.takeBackUnsent(
      rows.map(({ unit }) => unit),
      clock.now(),
    );
    metrics.count(applied);
    signals.announce(applied);
  }

  /** What is asked back and was never tried to be sent comes back at once; what may be out is sent, and called back like the rest. */
  #withoutRecalled(rows: readonly UnitRow[]): readonly UnitRow[] {
    const recalled = rows.filter(({ unit, recall }) => recall && !this.#tried.has(unit));
    if (recalled.length === 0) return rows;
    this.#takeBack(recalled);
    return rows.filter((row) => !recalled.includes(row));
  }

  /**
   * None for a unit whose needs are still on their way. One that cannot be built is a defect, but must not keep its
   * neighbours from being sent.
   */
  #build(row: UnitRow): { row: UnitRow; built: BuiltUnit }[] {
    try {
      const built = this.#builder.build(row);
      this.#unbuilt.delete(row.unit);
      const isReady = this.#stager.isReady(row.unit, built.needs, () => this.service.wake());
      return isReady ? [{ row, built }] : [];
    } catch (error) {
      if (!this.#unbuilt.has(row.unit))
        this.#context.log.error({ err: error, unit: row.unit, jobId: row.job }, 'unit cannot be built');
      this.#unbuilt.add(row.unit);
      return [];
    }
  }

  #mark(rows: readonly UnitRow[]): void {
    if (rows.length === 0) return;
    this.#context.state.markSent(
      rows.map(({ unit }) => unit),
      this.#context.clock.now(),
    );
    for (const { unit } of rows) this.#tried.delete(unit);
  }

  async #putOnce(key: string, body: string): Promise<void> {
    if (this.#putKeys.has(key)) return;
    await this.#pool.store.put(key, body);
    if (this.#putKeys.size > 10_000) this.#putKeys.clear();
    this.#putKeys.add(key);
  }

  #count(sent: readonly UnitRow[]): void {
    const { metrics, clock } = this.#context;
    const now = clock.now();
    metrics.unitsSent.inc({ pool: this.#pool.name }, sent.length);
    for (const row of sent) metrics.sendDelay.observe(Math.max(0, now - row.createdAt) / 1000);
  }

  /** Marked before they were sent, they are not sent again: the refusal may have come after the queue took them. */
  #logUnknown(rows: readonly UnitRow[]): void {
    for (const row of rows)
      this.#context.log.error(
        { pool: this.#pool.name, unit: row.unit, jobId: row.job },
        'a unit that must never be started twice was refused by its queue',
      );
  }

  #throwFailures(results: readonly SendResult[]): void {
    const failed = results.filter((result) => !result.ok);
    const first = failed[0];
    if (first === undefined) return;
    this.#context.metrics.sendFailures.inc({ pool: this.#pool.name }, failed.length);
    throw new ClobiError(
      'UNAVAILABLE',
      `${failed.length} units could not be sent to pool ${this.#pool.name}: ${messageOf(first.cause)}`,
      {
        cause: first.cause,
      },
    );
  }
}

/** It was not even tried, or a server said no. */
const wasNotSent = (result: SendResult | undefined): boolean =>
  result?.ok === false &&
  (isRefused(result.cause) || troubleOf(result.cause) === 'auth' || troubleOf(result.cause) === 'quota');
