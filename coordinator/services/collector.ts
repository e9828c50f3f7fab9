import { isCode, messageOf } from '../../shared/errors.ts';
import { faultPoint } from '../../shared/fault.ts';
import type { Delivery } from '../../shared/providers/ports.ts';
import { Service } from '../../shared/service.ts';
import { eventBatchSchema, EVENT_VERSION, type EventBatch } from '../../shared/wire/event.ts';
import type { PoolTiming } from '../config-timing.ts';
import type { Context, Pool } from './context.ts';
import { Listening } from './listening.ts';
import { readSegment } from './read-segments.ts';

const MAX_RECEIVE = 100;

interface Parsed {
  delivery: Delivery;
  batch: EventBatch;
}

/**
 * R4/R5, one a pool: receives event batches, applies them in one transaction, reads the segments they refer to, and only
 * then deletes the messages. What is no event batch of ours goes to the dead queue.
 */
export class Collector {
  readonly service: Service;
  readonly listening: Listening;
  readonly #context: Context;
  readonly #pool: Pool;

  constructor(context: Context, pool: Pool) {
    this.#context = context;
    this.#pool = pool;
    this.listening = new Listening(pool.config.timing.deadMs);
    this.service = new Service({
      name: `collector:${pool.name}`,
      intervalMs: 0,
      log: context.log,
      runOnce: (signal) => this.runOnce(signal),
    });
  }

  start(): void {
    this.service.start();
  }

  async stop(): Promise<void> {
    await this.service.stop();
    this.listening.outage();
  }

  /** One receive with what follows from it. Always true: the waiting is the queue's. */
  async runOnce(signal: AbortSignal): Promise<boolean> {
    try {
      const deliveries = await this.#receive(signal);
      if (deliveries.length > 0) await this.#take(deliveries);
      // Heard only when applied: silence must not count while words wait.
      if (!signal.aborted) this.listening.received(deliveries.length, this.#context.clock.now());
      return true;
    } catch (error) {
      this.listening.outage();
      throw error;
    }
  }

  async #take(deliveries: readonly Delivery[]): Promise<void> {
    faultPoint('collect.after-receive');
    const parsed = await this.#parse(deliveries);
    const { applied, segments } = await this.#judgeAll(parsed);
    faultPoint('collect.after-apply');
    for (const key of segments) await this.#commitSegment(key);
    faultPoint('collect.after-commit');
    await Promise.all(applied.map(({ delivery }) => deleteMessage(delivery)));
    faultPoint('collect.after-delete');
  }

  /** Together where possible; else one by one, so that a batch that cannot be applied stops none of its neighbours. */
  async #judgeAll(
    parsed: readonly Parsed[],
  ): Promise<{ applied: readonly Parsed[]; segments: readonly string[] }> {
    try {
      return { applied: parsed, segments: this.#judge(parsed.map(({ batch }) => batch)) };
    } catch (error) {
      if (isStateTrouble(error)) throw error;
    }
    const applied: Parsed[] = [];
    const segments: string[] = [];
    for (const each of parsed) {
      try {
        segments.push(...this.#judge([each.batch]));
        applied.push(each);
      } catch (error) {
        if (isStateTrouble(error)) throw error;
        await this.#refuse(each.delivery, `it cannot be applied: ${messageOf(error)}`);
      }
    }
    return { applied, segments };
  }

  /** Commits batches and the segments they name. */
  async apply(batches: readonly EventBatch[]): Promise<void> {
    for (const key of this.#judge(batches)) await this.#commitSegment(key);
  }

  /** Commits batches in one transaction; the segments that are to be read for them. */
  #judge(batches: readonly EventBatch[]): readonly string[] {
    if (batches.length === 0) return [];
    const { state, clock, signals, metrics } = this.#context;
    const applied = state.apply(batches, clock.now());
    metrics.eventBatches.inc({ pool: this.#pool.name }, batches.length);
    for (const why of handBacksOf(batches)) metrics.handedBack.inc({ pool: this.#pool.name, why });
    metrics.count(applied);
    signals.announce(applied);
    return applied.segmentsToRead;
  }

  async #receive(signal: AbortSignal): Promise<Delivery[]> {
    // Until the queue has been read empty, an empty answer must come at once: with agents talking all the time a
    // long poll never ends empty.
    const waitMs = this.listening.since === undefined ? 0 : this.listening.waitMs;
    return this.#pool.events.receive({
      max: MAX_RECEIVE,
      waitMs,
      leaseMs: eventLeaseMs(this.#pool.config.timing),
      signal,
    });
  }

  async #commitSegment(key: string): Promise<void> {
    const { state, clock, signals, metrics, log } = this.#context;
    try {
      const { outcomes, badLines } = await readSegment(this.#pool.store, key);
      if (badLines > 0)
        log.error(
          { pool: this.#pool.name, segment: key, badLines },
          'segment has lines that are no outcomes',
        );
      const applied = state.commit(outcomes, clock.now(), [key]);
      metrics.count(applied);
      signals.announce(applied);
    } catch (error) {
      if (!isCode(error, 'NOT_FOUND')) throw error;
      // The agent puts the segment before it sends the event (R4): waiting would bring nothing.
      log.error({ pool: this.#pool.name, segment: key }, 'an event names a segment that is not in the store');
    }
  }

  async #parse(deliveries: readonly Delivery[]): Promise<Parsed[]> {
    const parsed: Parsed[] = [];
    for (const delivery of deliveries) {
      const batch = parseBatch(delivery.body, { ns: this.#context.config.ns, pool: this.#pool.name });
      if (typeof batch === 'string') await this.#refuse(delivery, batch);
      else parsed.push({ delivery, batch });
    }
    return parsed;
  }

  async #refuse(delivery: Delivery, why: string): Promise<void> {
    this.#context.metrics.badBatches.inc({ pool: this.#pool.name });
    this.#context.log.error(
      { pool: this.#pool.name, why, sample: delivery.body.slice(0, 200) },
      'refused an event message',
    );
    try {
      const [kept] = await this.#pool.dead.send([delivery.body]);
      if (kept?.ok === true) await deleteMessage(delivery);
    } catch (error) {
      // It comes again; its neighbours need not wait for it.
      this.#context.log.warn({ pool: this.#pool.name, err: error }, 'refused message could not be set aside');
    }
  }
}

/**
 * How long a received event stays hidden. Short: we are the only receiver, applying twice is harmless, and what a former life
 * had in hand is unseen for as long; it must come back well within the dead time.
 */
export const eventLeaseMs = ({ deadMs, leaseMs }: Pick<PoolTiming, 'deadMs' | 'leaseMs'>): number =>
  Math.max(1, Math.min(10_000, leaseMs, Math.floor(deadMs / 2)));

/** SQLite's result codes for a value that it refuses: too big, constraint, mismatch, range. */
const VALUE_CODES: ReadonlySet<number> = new Set([18, 19, 20, 25]);

/** True when the state itself could not be written (disk full, busy, closed): no fault of the batch, which must be kept. */
function isStateTrouble(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if ('errcode' in error && typeof error.errcode === 'number') return !VALUE_CODES.has(error.errcode & 0xff);
  return 'code' in error && error.code === 'ERR_INVALID_STATE';
}

/** Why each unit that came back did. */
const handBacksOf = (batches: readonly EventBatch[]): string[] =>
  batches.flatMap(({ events }) => events.flatMap((event) => (event.type === 'returned' ? [event.why] : [])));

/** The batch, or why it is none of ours. */
export function parseBatch(body: string, at: { ns: string; pool: string }): EventBatch | string {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch (error) {
    return `no JSON: ${messageOf(error)}`;
  }
  const { data, error } = eventBatchSchema.safeParse(value);
  if (data === undefined) {
    const issue = error.issues[0];
    return issue === undefined ? 'not an event batch' : `${issue.path.join('.')}: ${issue.message}`;
  }
  if (data.v > EVENT_VERSION) return `version ${data.v} is newer than ${EVENT_VERSION}`;
  if (data.ns !== at.ns || data.pool !== at.pool) return `it is for pool ${data.pool} of ${data.ns}`;
  return data;
}

/** A message that went to somebody else meanwhile is applied twice: harmless, since applying is idempotent. */
async function deleteMessage(delivery: Delivery): Promise<void> {
  try {
    await delivery.done();
  } catch (error) {
    if (!isCode(error, 'LEASE_LOST')) throw error;
  }
}
