import type { Logger } from 'pino';
import { type Clock, pause } from '../shared/clock.ts';
import { messageOf } from '../shared/errors.ts';
import type { ObjectStore, Queue } from '../shared/providers/ports.ts';
import type { AgentEvent } from '../shared/wire/event.ts';
import { verifierOf } from '../shared/wire/signature.ts';
import type { AgentSettings } from './config.ts';
import { ControlWatch } from './control.ts';
import { EventSender } from './events.ts';
import { Heartbeat } from './heartbeat.ts';
import { HeldUnits } from './held-units.ts';
import { LeaseKeeper } from './leases.ts';
import { OverJobs } from './over-jobs.ts';
import { Reporter } from './report.ts';
import { Slots, type StartSlot } from './slots.ts';
import { SpecSource } from './spec-source.ts';
import type { StopSignals } from './stop-signals.ts';
import { Take } from './take.ts';
import type { AgentIdentity } from './types.ts';
import { Work } from './work.ts';

/** So long may the last words take when we were told to leave at once. */
const LAST_WORDS_MS = 10_000;

export type Hello = Extract<AgentEvent, { type: 'hello' }>;

export interface AgentParts {
  settings: AgentSettings;
  identity: AgentIdentity;
  units: Queue;
  eventsQueue: Queue;
  store: ObjectStore;
  startSlot: StartSlot;
  hello: Hello;
  /** Requests to the cloud since the start, by operation. */
  requests?: () => Record<string, number>;
  clock: Clock;
  log: Logger;
  /** For tests: how long a unit waits in hand for room, and how long the agent rests after it refused one. */
  longestWaitForRoomMs?: number;
  restMs?: number;
}

/**
 * One life of an agent. States: greeting → working → draining → gone, or → leaving → gone from any of them.
 * Draining: nothing more is taken, what has not begun is handed back, what runs ends and is reported.
 * Leaving: what runs is killed too, and what was begun is lost.
 */
export class Agent {
  readonly #parts: AgentParts;
  readonly #held = new HeldUnits();
  readonly #events: EventSender;
  readonly #slots: Slots;
  readonly #report: Reporter;
  readonly #work: Work;
  readonly #control: ControlWatch;
  readonly #take: Take;
  readonly #heartbeat: Heartbeat;
  readonly #leases: LeaseKeeper;
  /** Aborts when the control document asks us to drain. */
  readonly #drainAsked = new AbortController();
  #isDraining = false;

  constructor(parts: AgentParts) {
    const { identity, clock, log, store, settings } = parts;
    const { timing, ns, pool, publicKey } = settings.config;
    const held = this.#held;
    this.#parts = parts;
    const events = new EventSender({ queue: parts.eventsQueue, ns, identity, clock });
    const slots = new Slots(settings.capacity, parts.startSlot);
    const onReturned = (): void => this.#heartbeat.wake();
    const report = new Reporter({ identity, store, events, held, flushMs: timing.flushMs, onReturned, log });
    const control = new ControlWatch({
      store,
      pool,
      agent: identity.agent,
      pollMs: timing.controlPollMs,
      log,
      onChange: () => this.#obeyControl(),
    });
    const work = new Work({
      identity,
      slots,
      report,
      clock,
      log,
      isFollowed: (job) => control.view.isFollowed(job),
      onRoom: () => this.#take.wake(),
      onRefusal: () => this.#take.rest(),
      ...(parts.longestWaitForRoomMs !== undefined && { longestWaitForRoomMs: parts.longestWaitForRoomMs }),
    });
    const expected = { ns, pool, verify: verifierOf(publicKey) };
    const { leaseMs } = timing;
    const rest = parts.restMs === undefined ? {} : { restMs: parts.restMs };
    this.#take = new Take({
      identity,
      queue: parts.units,
      expected,
      leaseMs,
      held,
      slots,
      specs: new SpecSource(store),
      overJobs: new OverJobs({ store, clock, log }),
      control,
      work,
      report,
      clock,
      log,
      mostUnits: events.mostClaims,
      ...rest,
    });
    const load = () => ({ running: work.running, freeSlots: slots.freeSlots, ...requestsSoFar(parts) });
    const hello = () => (this.#isDraining ? undefined : parts.hello);
    this.#heartbeat = new Heartbeat({ events, held, intervalMs: timing.heartbeatMs, load, hello, log });
    this.#leases = new LeaseKeeper({ held, leaseMs, clock, log });
    this.#events = events;
    this.#slots = slots;
    this.#report = report;
    this.#control = control;
    this.#work = work;
  }

  /** Works until asked to stop; resolves when everything in hand is reported or handed back, and the queues are closed. */
  async run(stop: Pick<StopSignals, 'drain' | 'now'>): Promise<void> {
    const drain = AbortSignal.any([stop.drain, this.#drainAsked.signal]);
    await this.#greet(drain);
    if (!drain.aborted) await this.#control.poll();
    this.#report.start();
    this.#leases.start();
    this.#heartbeat.start();
    this.#control.start();
    if (!drain.aborted) this.#take.start();
    await aborted(drain);
    await this.#drain(stop.now);
    await this.#close();
  }

  async #greet(drain: AbortSignal): Promise<void> {
    for (let failures = 1; !drain.aborted; failures += 1) {
      try {
        await this.#events.sendNow([this.#parts.hello]);
        return;
      } catch (error) {
        this.#parts.log.warn({ err: error, failures }, `coordinator cannot be greeted: ${messageOf(error)}`);
        await pause(Math.min(15_000, 100 * 2 ** failures), drain);
      }
    }
  }

  async #drain(now: AbortSignal): Promise<void> {
    const { log } = this.#parts;
    this.#isDraining = true;
    log.info({ units: this.#held.size, running: this.#work.running }, 'draining');
    // The receive is over before anything is handed back: it must not swallow what another could take.
    await this.#take.stop();
    const draining = this.#say({ type: 'draining' });
    this.#work.dropWaiting('draining');
    await Promise.race([this.#held.whenEmpty(), aborted(now)]);
    if (now.aborted) await this.#leave();
    await within(LAST_WORDS_MS, draining);
  }

  async #leave(): Promise<void> {
    this.#parts.log.warn(
      { units: this.#held.size, running: this.#work.running },
      'leaving at once; what runs is killed',
    );
    const over = Promise.all([this.#work.abandon(), this.#held.whenEmpty()]);
    await within(LAST_WORDS_MS, over);
  }

  async #close(): Promise<void> {
    const { units, eventsQueue, log } = this.#parts;
    await within(LAST_WORDS_MS, this.#heartbeat.stop());
    await within(LAST_WORDS_MS, this.#say({ type: 'goodbye' }));
    const services = [this.#control.stop(), this.#leases.stop(), this.#report.stop(), this.#slots.close()];
    await within(LAST_WORDS_MS, Promise.all(services));
    await within(LAST_WORDS_MS, Promise.allSettled([units.close(), eventsQueue.close()]));
    log.info('gone');
  }

  /** For words that help but are not needed: silence says the same later. */
  async #say(event: AgentEvent): Promise<void> {
    try {
      await this.#events.sendNow([event]);
    } catch (error) {
      this.#parts.log.warn({ err: error, event: event.type }, 'event could not be sent');
    }
  }

  #obeyControl(): void {
    const { view } = this.#control;
    for (const unit of this.#held) {
      const revoked = view.revoked(unit.id);
      if (view.isRecalled(unit.id)) this.#work.recall(unit);
      if (revoked !== undefined) this.#work.revoke(unit, revoked === 'all' ? undefined : revoked);
    }
    this.#work.updateFollows();
    if (view.drains(this.#parts.identity)) this.#drainAsked.abort();
  }
}

/** Waits for the work, but no longer than that; what fails is the work's own affair to log. */
async function within(ms: number, work: Promise<unknown>): Promise<void> {
  const done = new AbortController();
  await Promise.race([work.finally(() => done.abort()), pause(ms, done.signal)]);
}

/** Nothing where no provider counts: a heartbeat has little room. */
function requestsSoFar({ requests }: AgentParts): { requests?: Record<string, number> } {
  const counted = requests?.() ?? {};
  return Object.keys(counted).length > 0 ? { requests: counted } : {};
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
