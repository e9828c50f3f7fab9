import type { Logger } from 'pino';
import type { Clock } from '../shared/clock.ts';
import { messageOf } from '../shared/errors.ts';
import { faultPoint } from '../shared/fault.ts';
import type { Outcome } from '../shared/wire/event.ts';
import { internalOutcome } from './internal-outcome.ts';
import type { Reporter } from './report.ts';
import type { Slots } from './slots.ts';
import type { AgentIdentity, Slot } from './types.ts';
import type { ReturnReason } from './unit-check.ts';
import type { Plan, RunningTask, UnitInHand } from './unit-in-hand.ts';

/** A unit in hand that could not begin for so long goes back, for an agent with room. */
const LONGEST_WAIT_FOR_ROOM_MS = 10_000;

const IDLE_AFTER_MS = 3;

export interface WorkOptions {
  identity: AgentIdentity;
  slots: Slots;
  report: Reporter;
  clock: Clock;
  log: Logger;
  /** Whether somebody follows what this job's tasks print. */
  isFollowed: (job: string) => boolean;
  /** There may be room for another unit. */
  onRoom: () => void;
  /** The machine refused a unit that it took; better not take the next at once. */
  onRefusal: () => void;
  longestWaitForRoomMs?: number;
}

/**
 * Runs the tasks of the units in hand over the slots. A unit that has not begun comes first, so that none waits in
 * hand while another machine could run it; then the order of receipt.
 */
export class Work {
  readonly #options: WorkOptions;
  readonly #units = new Set<UnitInHand>();
  readonly #followed = new WeakSet<Slot>();
  #waitingUnits: UnitInHand[] = [];
  #running = 0;
  #leaving = false;
  #whenStill: (() => void)[] = [];
  #idleTimer: NodeJS.Timeout | undefined;

  constructor(options: WorkOptions) {
    this.#options = options;
  }

  get running(): number {
    return this.#running;
  }

  /** Nothing runs and nothing waits. */
  isIdle(): boolean {
    return this.#running === 0 && this.#waitingUnits.length === 0;
  }

  /** Another unit may be received: a task of it could probably begin, and none in hand is waiting. */
  hasRoom(): boolean {
    return this.#waitingUnits.length === 0 && this.#options.slots.hasRoom();
  }

  /** Takes charge of a unit whose plan is known. */
  add(unit: UnitInHand): void {
    this.#units.add(unit);
    if (unit.waiting > 0) this.#waitingUnits.push(unit);
    this.#finishIfOver(unit);
    this.#next();
    if (!unit.hasBegun && unit.waiting > 0) this.#giveBackUnlessBegun(unit);
  }

  /** The unit goes back, with the reason and the tasks that it has noted. */
  handBack(unit: UnitInHand): void {
    const { log, report } = this.#options;
    log.info(
      { unit: unit.id, why: unit.returnReason, receiveCount: unit.delivery.receiveCount },
      'unit handed back',
    );
    report.handBack(unit);
  }

  /** Gives up the waiting tasks of a unit, all or those named, and ends those of them that run (R8). */
  revoke(unit: UnitInHand, indices?: ReadonlySet<number>): void {
    this.#drop(unit, 'revoked', indices);
    for (const [index, task] of unit.running) {
      if (task.cancelled || (indices !== undefined && !indices.has(index))) continue;
      task.cancelled = true;
      task.slot?.cancel();
    }
  }

  /** Gives up what waits of a unit; what runs of it goes on. */
  recall(unit: UnitInHand): void {
    this.#drop(unit, 'recalled');
  }

  /** Gives up everything that waits; what runs goes on. */
  dropWaiting(why: ReturnReason): void {
    for (const unit of [...this.#units]) this.#drop(unit, why);
  }

  /** Kills everything that runs and hands all units back; what was begun is lost, and nothing more is reported of it. */
  async abandon(): Promise<void> {
    this.#leaving = true;
    for (const unit of [...this.#units]) {
      unit.abandon('draining');
      for (const { slot } of unit.running.values()) slot?.kill();
      this.#units.delete(unit);
      this.handBack(unit);
    }
    this.#waitingUnits = [];
    await this.whenStill();
  }

  /** Resolves when nothing runs. */
  whenStill(): Promise<void> {
    if (this.#running === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenStill.push(resolve));
  }

  /** Tells the slots of running tasks whether somebody follows them now. */
  updateFollows(): void {
    for (const unit of this.#units)
      for (const { slot } of unit.running.values()) if (slot !== undefined) this.#follow(slot, unit);
  }

  #drop(unit: UnitInHand, why: ReturnReason, indices?: ReadonlySet<number>): void {
    if (!this.#units.has(unit)) return;
    unit.drop(why, indices);
    if (unit.waiting === 0) this.#waitingUnits = this.#waitingUnits.filter((other) => other !== unit);
    this.#finishIfOver(unit);
    this.#lookForMore();
  }

  #giveBackUnlessBegun(unit: UnitInHand): void {
    const { longestWaitForRoomMs = LONGEST_WAIT_FOR_ROOM_MS, onRefusal } = this.#options;
    const giveBack = (): void => {
      if (unit.hasBegun || !this.#units.has(unit)) return;
      onRefusal();
      this.#drop(unit, 'unfit');
    };
    setTimeout(giveBack, longestWaitForRoomMs).unref();
  }

  /** Begins as many tasks as there is room for. */
  #next(): void {
    for (;;) {
      const unit = this.#choose();
      const plan = unit?.plan;
      if (unit === undefined || plan === undefined) break;
      const begun = unit.begin(this.#options.clock.now());
      if (unit.waiting === 0) this.#waitingUnits = this.#waitingUnits.filter((other) => other !== unit);
      this.#running += 1;
      void this.#run(unit, plan, begun);
    }
    this.#lookForMore();
  }

  /** The unit whose next task begins now; its place is reserved. */
  #choose(): UnitInHand | undefined {
    const reserve = (unit: UnitInHand): boolean =>
      unit.plan !== undefined && this.#options.slots.reserve(unit.plan.need);
    return (
      this.#waitingUnits.find((unit) => !unit.hasBegun && reserve(unit)) ??
      this.#waitingUnits.find((unit) => unit.hasBegun && reserve(unit))
    );
  }

  /** Never rejects: whatever happens to a task becomes its outcome, or the task goes back. */
  async #run(unit: UnitInHand, plan: Plan, begun: RunningTask): Promise<void> {
    const { slots } = this.#options;
    const slot = await this.#obtainSlot();
    if (slot === undefined || this.#leaving) {
      if (slot !== undefined) slots.putBack(slot);
      this.#notStarted(unit, begun);
    } else {
      const outcome = await this.#runIn(slot, unit, plan, begun);
      this.#ended(unit, begun, outcome);
    }
    slots.release(plan.need);
    this.#running -= 1;
    this.#next();
    if (this.isIdle()) this.#reportIfStillIdle();
    if (this.#running === 0) for (const resolve of this.#whenStill.splice(0)) resolve();
  }

  /** With nothing left to do there is nothing to wait for; but the next unit may be just arriving. */
  #reportIfStillIdle(): void {
    this.#idleTimer ??= setTimeout(() => {
      this.#idleTimer = undefined;
      if (this.isIdle()) this.#options.report.flushSoon();
    }, IDLE_AFTER_MS);
  }

  async #obtainSlot(): Promise<Slot | undefined> {
    try {
      return await this.#options.slots.obtain();
    } catch (error) {
      this.#options.log.error({ err: error }, `slot could not be started: ${messageOf(error)}`);
      return undefined;
    }
  }

  async #runIn(slot: Slot, unit: UnitInHand, plan: Plan, begun: RunningTask): Promise<Outcome> {
    const { identity, clock, log, report, slots } = this.#options;
    try {
      begun.slot = slot;
      const running = slot.run({ unit: unit.body, spec: plan.spec, task: begun.task, run: begun.run });
      if (begun.cancelled) slot.cancel();
      this.#follow(slot, unit);
      report.begun();
      faultPoint('task.after-start');
      const outcome = await running;
      faultPoint('task.after-run');
      slots.putBack(slot);
      return outcome;
    } catch (error) {
      log.error({ unit: unit.id, index: begun.task.index, err: error }, 'slot failed and is given up');
      await slots.discard(slot);
      return internalOutcome(identity, unit.body, { ...begun, endedAt: clock.now() }, messageOf(error));
    }
  }

  #ended(unit: UnitInHand, begun: RunningTask, outcome: Outcome): void {
    if (this.#leaving) return;
    unit.end(begun);
    // A full disk, say: the next task would end alike, and a healthy machine should get it.
    if (neverBegan(outcome)) this.#options.onRefusal();
    this.#options.report.outcome(unit, outcome);
    this.#finishIfOver(unit);
  }

  /** Nothing was started: the unit's rest goes back, for this machine may not be able to run it. */
  #notStarted(unit: UnitInHand, begun: RunningTask): void {
    if (this.#leaving) return;
    unit.unbegin(begun);
    this.#options.onRefusal();
    this.#drop(unit, 'internal');
  }

  #finishIfOver(unit: UnitInHand): void {
    if (!unit.isOver() || !this.#units.delete(unit)) return;
    if (unit.returnReason !== undefined) this.handBack(unit);
  }

  #lookForMore(): void {
    if (this.hasRoom()) this.#options.onRoom();
  }

  #follow(slot: Slot, unit: UnitInHand): void {
    const on = this.#options.isFollowed(unit.body.job);
    if (on === this.#followed.has(slot)) return;
    slot.follow(on);
    if (on) this.#followed.add(slot);
    else this.#followed.delete(slot);
  }
}

/** The machine's own fault, and the command was not even started. */
const neverBegan = ({ reason, exitCode, signal }: Outcome): boolean =>
  reason === 'internal' && exitCode === null && signal === null;
