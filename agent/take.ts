import type { Logger } from 'pino';
import { type Clock, pause } from '../shared/clock.ts';
import { isCode, messageOf } from '../shared/errors.ts';
import { faultPoint, isPlanted } from '../shared/fault.ts';
import type { Delivery, Queue } from '../shared/providers/ports.ts';
import { Service } from '../shared/service.ts';
import type { ControlWatch } from './control.ts';
import type { HeldUnits } from './held-units.ts';
import { internalOutcome } from './internal-outcome.ts';
import type { OverJobs } from './over-jobs.ts';
import type { Reporter } from './report.ts';
import { type Need, needOf, type Slots } from './slots.ts';
import type { SpecSource } from './spec-source.ts';
import type { AgentIdentity } from './types.ts';
import { type Expectation, readUnit, refusalOf } from './unit-check.ts';
import { type Plan, UnitInHand } from './unit-in-hand.ts';
import type { Work } from './work.ts';

/** Queues on the wire hold a receive no longer than this. */
const LONG_POLL_MS = 20_000;
/** Pauses between receives where the queue itself does not wait. */
const SHORTEST_POLL_MS = 100;
const LONGEST_POLL_MS = 1_000;
/** Outcomes that wait for a store to come back may take so much memory; beyond it no more work is taken. */
const MOST_BUFFERED_BYTES = 32 * 1024 * 1024;
/** Rest after the machine refused a unit, so that a unit nobody can run does not go round and round. */
const REST_MS = 10_000;
const RECHECK_MS = 1_000;
/** A flood of nonsense in the queue must not become a flood of events. */
const MOST_REJECTED_A_MINUTE = 20;

export interface TakeOptions {
  identity: AgentIdentity;
  queue: Queue;
  expected: Expectation;
  leaseMs: number;
  held: HeldUnits;
  slots: Slots;
  specs: SpecSource;
  overJobs: OverJobs;
  control: ControlWatch;
  work: Work;
  report: Reporter;
  clock: Clock;
  log: Logger;
  restMs?: number;
  /** Never more units in hand than one heartbeat can claim. */
  mostUnits: number;
}

/**
 * The lease pump: receives a unit when a task of it could begin, never before, and decides what becomes of it:
 * run, handed back (R3), or rejected: no unit at all, or of a job that is over.
 */
export class Take {
  readonly #options: TakeOptions;
  readonly #service: Service;
  #stopping = false;
  /** When the last rest began. */
  #restSince = Number.NEGATIVE_INFINITY;
  #emptyPolls = 0;
  #lastNeed: Need | undefined;
  #rejections = { since: 0, count: 0 };

  constructor(options: TakeOptions) {
    this.#options = options;
    this.#service = new Service({
      name: 'take',
      intervalMs: RECHECK_MS,
      log: options.log,
      runOnce: (signal) => this.runOnce(signal),
    });
  }

  start(): void {
    this.#service.start();
  }

  /** Resolves when the receive under way has ended and everything it brought is decided. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#service.stop();
  }

  wake(): void {
    this.#service.wake();
  }

  /** Takes nothing for a while. */
  rest(): void {
    this.#restSince = this.#options.clock.now();
  }

  /** One receive, if there is room. Resolves to whether it makes sense to try again at once. */
  async runOnce(signal: AbortSignal): Promise<boolean> {
    if (!this.#hasRoom()) return false;
    const { queue, slots, leaseMs } = this.#options;
    // The next units are likely to be like the last. At least one is asked for: it may be a smaller one.
    const likely =
      this.#lastNeed === undefined ? slots.freeSlots : Math.max(1, slots.roomFor(this.#lastNeed));
    const max = Math.min(likely, queue.capabilities.maxReceive);
    const waitMs = queue.capabilities.longPoll ? LONG_POLL_MS : 0;
    const deliveries = await queue.receive({ max, waitMs, leaseMs, signal });
    if (deliveries.length > 0) faultPoint('take.after-receive');
    await this.#decide(deliveries, signal);
    if (waitMs === 0) await this.#pauseIfEmpty(deliveries.length, signal);
    return true;
  }

  #hasRoom(): boolean {
    const { work, report, held, mostUnits } = this.#options;
    return (
      held.size < mostUnits &&
      work.hasRoom() &&
      report.bufferedBytes < MOST_BUFFERED_BYTES &&
      !this.#isResting()
    );
  }

  #isResting(): boolean {
    const { clock, restMs = REST_MS } = this.#options;
    const rested = clock.now() - this.#restSince;
    // Below 0: the clock was set back meanwhile.
    return rested >= 0 && rested < restMs;
  }

  async #pauseIfEmpty(received: number, signal: AbortSignal): Promise<void> {
    this.#emptyPolls = received > 0 ? 0 : this.#emptyPolls + 1;
    if (received > 0) return;
    const ceiling = Math.min(LONGEST_POLL_MS, SHORTEST_POLL_MS * 2 ** Math.min(this.#emptyPolls, 10));
    await pause(SHORTEST_POLL_MS + Math.random() * (ceiling - SHORTEST_POLL_MS), signal);
  }

  async #decide(deliveries: readonly Delivery[], signal: AbortSignal): Promise<void> {
    // All are in hand, and so claimed, before anything is waited for.
    const units = deliveries.map((delivery) => this.#receive(delivery)).filter((unit) => unit !== undefined);
    if (isPlanted('delete-at-receipt')) await Promise.all(units.map(({ delivery }) => delivery.done()));
    if (units.length > 0) faultPoint('take.after-check');
    const open = units.filter(({ returnReason }) => returnReason === undefined).map(({ body }) => body);
    const over = await this.#options.overJobs.among(open, signal);
    for (const unit of units) {
      if (over.has(unit.body)) void this.#rejectLate(unit);
      else await this.#admit(unit, signal);
    }
  }

  /** The unit of a message, in hand from now on; undefined when the message is no unit. */
  #receive(delivery: Delivery): UnitInHand | undefined {
    const { expected, held, clock } = this.#options;
    const read = readUnit(delivery.body, expected);
    if (read.kind === 'poison') {
      void this.#reject(delivery, read.why);
      return undefined;
    }
    const unit = new UnitInHand(read.body, delivery, clock.now());
    const refusal = this.#refusal(unit);
    if (refusal !== undefined) unit.refuse(refusal, (index) => held.hasBegun(unit.id, index));
    held.add(unit);
    return unit;
  }

  #refusal(unit: UnitInHand) {
    const { held, control, clock } = this.#options;
    return refusalOf(unit.body, {
      now: clock.now(),
      receiveCount: unit.delivery.receiveCount,
      recent: held.hasMet(unit.id),
      revoked: control.view.revoked(unit.id) === 'all',
      recalled: control.view.isRecalled(unit.id),
      draining: this.#stopping,
    });
  }

  /** A copy of a unit whose job is over by now: nobody waits for it, nor to hear of it. Never rejects. */
  async #rejectLate(unit: UnitInHand): Promise<void> {
    await this.#reject(unit.delivery, `its job ${unit.body.job} is over`);
    this.#options.held.remove(unit);
  }

  /** Never rejects. */
  async #reject(delivery: Delivery, why: string): Promise<void> {
    const { report, log, clock } = this.#options;
    log.warn({ why }, 'message rejected: nothing of it is run');
    const now = clock.now();
    if (now - this.#rejections.since > 60_000) this.#rejections = { since: now, count: 0 };
    this.#rejections.count += 1;
    if (this.#rejections.count <= MOST_REJECTED_A_MINUTE) report.rejected(why, delivery.body);
    try {
      await delivery.done();
    } catch (error) {
      log.warn({ err: error }, 'rejected message could not be deleted; it will come again');
    }
  }

  /** Brings a unit in hand to work, or to wherever else it belongs. */
  async #admit(unit: UnitInHand, signal: AbortSignal): Promise<void> {
    if (unit.returnReason === undefined) await this.#prepare(unit, signal);
    const { work, report, log } = this.#options;
    if (!unit.isOver()) {
      log.debug({ unit: unit.id, jobId: unit.body.job, tasks: unit.waiting }, 'unit taken');
      work.add(unit);
    } else if (unit.returnReason !== undefined) work.handBack(unit);
    else report.flushSoon();
  }

  /** Finds out what the unit's tasks need, and drops those that are not to be run here. */
  async #prepare(unit: UnitInHand, signal: AbortSignal): Promise<void> {
    const { control, slots } = this.#options;
    unit.plan = await this.#plan(unit, signal);
    this.#lastNeed = unit.plan?.need ?? this.#lastNeed;
    const revoked = control.view.revoked(unit.id);
    if (revoked !== undefined) unit.drop('revoked', revoked === 'all' ? undefined : revoked);
    if (control.view.isRecalled(unit.id)) unit.drop('recalled');
    if (unit.plan === undefined || this.#stopping) unit.drop('draining');
    else if (!slots.couldEverHold(unit.plan.need)) unit.drop('unfit');
  }

  /** Undefined when we were told to stop before the spec could be had, or when there is none and its tasks have failed. */
  async #plan(unit: UnitInHand, signal: AbortSignal): Promise<Plan | undefined> {
    for (let failures = 1; !signal.aborted; failures += 1) {
      try {
        const spec = await this.#options.specs.load(unit.body);
        return { spec, need: needOf(spec) };
      } catch (error) {
        if (isCode(error, 'NOT_FOUND') || isCode(error, 'CONFLICT')) {
          this.#failAll(unit, error);
          break;
        }
        this.#options.log.warn({ unit: unit.id, err: error, failures }, 'spec cannot be read; trying again');
        await pause(Math.min(15_000, 100 * 2 ** failures) * (0.5 + Math.random() / 2), signal);
      }
    }
    return undefined;
  }

  /** There is no spec and never will be: each task fails, for to hand them back would bring them here again. */
  #failAll(unit: UnitInHand, error: unknown): void {
    const { clock, identity, report } = this.#options;
    while (unit.waiting > 0) {
      const begun = unit.begin(clock.now());
      const outcome = internalOutcome(
        identity,
        unit.body,
        { ...begun, endedAt: clock.now() },
        messageOf(error),
      );
      unit.end(begun);
      report.outcome(unit, outcome);
    }
  }
}
