import { isCode } from '../../shared/errors.ts';
import { faultPoint } from '../../shared/fault.ts';
import type { UnitId } from '../../shared/ids.ts';
import type { Delivery } from '../../shared/providers/ports.ts';
import { Service } from '../../shared/service.ts';
import { unseal } from '../../shared/wire/signature.ts';
import { unitBodySchema } from '../../shared/wire/unit.ts';
import { eventLeaseMs } from './collector.ts';
import type { Context, Pool } from './context.ts';
import type { Listening } from './listening.ts';

const RECHECK_MS = 1_000;
/** What we have in hand when killed is hidden for so long. */
const LONGEST_LEASE_MS = 10_000;
/** Long enough for a queue on the wire to ask all of its parts. */
const WAIT_MS = 1_000;

interface Parsed {
  delivery: Delivery;
  unit: UnitId;
}

/**
 * Brings work back that waits in a pool's queue, one a pool: while units are asked back, or the pool is evacuated, it receives
 * from the units queue as an agent would and hands back whatever comes, since the pool may have no agent to do so (R3). What
 * others wait for in the same queue is handed back too, and dispatched again; the pool gets nothing new until its queue
 * was found empty.
 *
 * In order: received, handed back in one transaction, deleted. Killed after the first step, the message comes again with
 * count 2, which is nobody's loss only where no agent can have had it; after the second, its unit is void and nobody runs it.
 */
export class Recaller {
  readonly service: Service;
  readonly #context: Context;
  readonly #pool: Pool;
  readonly #listening: Listening;
  readonly #verify: (body: string, signature: string) => boolean;
  /** The queue of an evacuated pool was found empty since the last order. */
  #swept = false;
  /** When the queue is looked at next: what is asked back may be in other hands just now, leased or not yet heard of. */
  #sweepAt = 0;

  constructor(
    context: Context,
    pool: Pool,
    parts: { listening: Listening; verify: (body: string, signature: string) => boolean },
  ) {
    this.#context = context;
    this.#pool = pool;
    this.#listening = parts.listening;
    this.#verify = parts.verify;
    this.service = new Service({
      name: `recaller:${pool.name}`,
      intervalMs: RECHECK_MS,
      log: context.log,
      runOnce: (signal) => this.runOnce(signal),
    });
    context.signals.on('recalls', () => {
      this.#swept = false;
      this.#sweepAt = 0;
      pool.recall.active = this.#isDue();
      this.service.wake();
    });
  }

  start(): void {
    this.#pool.recall.active = this.#isDue();
    this.service.start();
  }

  async stop(): Promise<void> {
    await this.service.stop();
  }

  /** One receive; true when the queue may hold more. */
  async runOnce(signal: AbortSignal): Promise<boolean> {
    const { clock } = this.#context;
    if (!this.#isDue()) {
      this.#rest();
      return false;
    }
    const { units, config, recall } = this.#pool;
    const { heartbeatMs, leaseMs } = config.timing;
    // What agents said must be known first: whether one can have had a message is read from it.
    if (!this.#listening.forAtLeast(eventLeaseMs(config.timing), clock.now())) return false;
    if (clock.now() < this.#sweepAt) return false;
    recall.active = true;
    const deliveries = await units.receive({
      max: units.capabilities.maxReceive,
      waitMs: units.capabilities.longPoll ? WAIT_MS : 0,
      leaseMs: Math.min(LONGEST_LEASE_MS, leaseMs),
      signal,
    });
    if (deliveries.length > 0) await this.#handBack(deliveries);
    else if (!signal.aborted) {
      this.#swept = true;
      this.#sweepAt = clock.now() + Math.max(2 * heartbeatMs, Math.min(LONGEST_LEASE_MS, leaseMs));
      this.#rest();
    }
    return deliveries.length > 0;
  }

  #isDue(): boolean {
    const { state } = this.#context;
    const { name } = this.#pool;
    return state.waitingRecalls(name) > 0 || (!this.#swept && state.poolMode(name).mode === 'evacuated');
  }

  /** The pool may get work again; what is asked back and not in the queue now is looked for again later. */
  #rest(): void {
    if (!this.#pool.recall.active) return;
    this.#pool.recall.active = false;
    this.#context.signals.ring('dispatchable');
  }

  async #handBack(deliveries: readonly Delivery[]): Promise<void> {
    faultPoint('recall.after-receive');
    const { state, clock, metrics, signals, log } = this.#context;
    const parsed = await this.#parse(deliveries);
    const messages = parsed.map(({ unit, delivery }) => ({ unit, receiveCount: delivery.receiveCount }));
    const { applied, back, unknown } = state.takeBack(messages, clock.now());
    faultPoint('recall.after-row');
    metrics.count(applied);
    for (const _ of back) metrics.unitsVoided.inc({ pool: this.#pool.name, why: 'recalled' });
    signals.announce(applied);
    // What was not free is a hand-back like any other.
    signals.ring('claims');
    log.info(
      { pool: this.#pool.name, messages: deliveries.length, units: back.length },
      'called units back from the queue',
    );
    const known = new Set(unknown);
    for (const { delivery, unit } of parsed)
      if (known.has(unit)) await this.#setAside(delivery, `unit ${unit} was never written here`);
    await Promise.all(parsed.filter(({ unit }) => !known.has(unit)).map(({ delivery }) => remove(delivery)));
    faultPoint('recall.after-delete');
  }

  async #parse(deliveries: readonly Delivery[]): Promise<Parsed[]> {
    const parsed: Parsed[] = [];
    for (const delivery of deliveries) {
      const unit = this.#unitOf(delivery.body);
      if (unit !== undefined) parsed.push({ delivery, unit });
      else await this.#setAside(delivery, 'it is no unit of this pool');
    }
    return parsed;
  }

  /** Undefined unless we have signed it for this pool: who can write to the queue must not end an attempt by it. */
  #unitOf(text: string): UnitId | undefined {
    const sealed = unseal(text);
    if (sealed === undefined || !this.#verify(sealed.body, sealed.signature)) return undefined;
    const { data } = unitBodySchema.safeParse(JSON.parse(sealed.body));
    const isOurs = data?.ns === this.#context.config.ns && data.pool === this.#pool.name;
    return isOurs ? data.unit : undefined;
  }

  async #setAside(delivery: Delivery, why: string): Promise<void> {
    this.#context.log.error(
      { pool: this.#pool.name, why, sample: delivery.body.slice(0, 200) },
      'set a message aside',
    );
    const [kept] = await this.#pool.dead.send([delivery.body]);
    if (kept?.ok === true) await remove(delivery);
  }
}

/** A message that went to somebody else meanwhile is of a void unit: nobody runs it. */
async function remove(delivery: Delivery): Promise<void> {
  try {
    await delivery.done();
  } catch (error) {
    if (!isCode(error, 'LEASE_LOST')) throw error;
  }
}
