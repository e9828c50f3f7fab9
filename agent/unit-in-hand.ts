import { newRunId, type RunId, type UnitId } from '../shared/ids.ts';
import type { JobSpec } from '../shared/job-spec.ts';
import type { Delivery } from '../shared/providers/ports.ts';
import type { UnitBody, UnitTask } from '../shared/wire/unit.ts';
import type { Need } from './slots.ts';
import type { Slot } from './types.ts';
import type { ReturnReason } from './unit-check.ts';

/** A task that was begun and has not ended. */
export interface RunningTask {
  task: UnitTask;
  run: RunId;
  startedAt: number;
  slot: Slot | undefined;
  /** A `started` event has named it. */
  announced: boolean;
  /** It is revoked: its slot was told, or will be when it has one. */
  cancelled: boolean;
}

/** What the tasks of a unit need to be run, known once its spec is. */
export interface Plan {
  spec: JobSpec;
  need: Need;
}

/**
 * A unit whose message was received and is not yet deleted. Each of its tasks goes
 *
 *   waiting ──▶ running ──▶ ended ──▶ reported
 *      └──────▶ dropped (named in `returned`)
 *
 * The unit is over when none waits and none runs; settled when all that ended is reported and all that was dropped
 * is returned. Only then may its message be deleted (R4), and only until then is it claimed.
 */
export class UnitInHand {
  readonly body: UnitBody;
  readonly delivery: Delivery;
  readonly running = new Map<number, RunningTask>();
  /** When the lease we hold was last given to us. */
  leasedAt: number;
  leaseLost = false;
  /** A heartbeat or `started` event has told the coordinator that we hold it. */
  claimed = false;
  plan: Plan | undefined;
  #waiting: UnitTask[];
  #next = 0;
  #dropped: number[] = [];
  #why: ReturnReason | undefined;
  #unreported = 0;
  #begun = 0;
  #lastBegun: RunningTask | undefined;

  constructor(body: UnitBody, delivery: Delivery, leasedAt: number) {
    this.body = body;
    this.delivery = delivery;
    this.leasedAt = leasedAt;
    this.#waiting = body.tasks;
  }

  get id(): UnitId {
    return this.body.unit;
  }

  get waiting(): number {
    return this.#waiting.length - this.#next;
  }

  get hasBegun(): boolean {
    return this.#begun > 0;
  }

  /** Running or ended. */
  get lastBegun(): RunningTask | undefined {
    return this.#lastBegun;
  }

  /** Why some of it goes back; undefined when nothing does. */
  get returnReason(): ReturnReason | undefined {
    return this.#why;
  }

  /** Indices of the tasks that are not and will not be begun here. */
  notBegun(): number[] {
    return [...this.#dropped, ...this.#waiting.slice(this.#next).map(({ index }) => index)];
  }

  isOver(): boolean {
    return this.waiting === 0 && this.running.size === 0;
  }

  /** Every task that was begun has its outcome reported. */
  isReported(): boolean {
    return this.isOver() && this.#unreported === 0;
  }

  /** Moves the next waiting task to running. The caller has seen that one waits. */
  begin(startedAt: number): RunningTask {
    const task = this.#waiting[this.#next];
    if (task === undefined) throw new Error(`unit ${this.id} has no waiting task`);
    this.#next += 1;
    const run = newRunId(task.attempt);
    const begun = { task, run, startedAt, slot: undefined, announced: false, cancelled: false };
    this.running.set(task.index, begun);
    this.#begun += 1;
    this.#lastBegun = begun;
    return begun;
  }

  /** Takes a `begin` back: no slot could be had, nothing was started. */
  unbegin(begun: RunningTask): void {
    this.running.delete(begun.task.index);
    this.#waiting = [begun.task, ...this.#waiting.slice(this.#next)];
    this.#next = 0;
    this.#begun -= 1;
    if (this.#lastBegun === begun) this.#lastBegun = undefined;
  }

  /** A running task has ended with an outcome that is to be reported. */
  end(begun: RunningTask): void {
    this.running.delete(begun.task.index);
    this.#unreported += 1;
  }

  reported(outcomes: number): void {
    this.#unreported -= outcomes;
  }

  /** Gives up the waiting tasks, all or those named; they go back with the first reason that was given. */
  drop(why: ReturnReason, indices?: ReadonlySet<number>): void {
    const rest = this.#waiting.slice(this.#next);
    const gone = indices === undefined ? rest : rest.filter(({ index }) => indices.has(index));
    if (gone.length === 0) return;
    this.#why ??= why;
    this.#dropped.push(...gone.map(({ index }) => index));
    this.#waiting = rest.filter((task) => !gone.includes(task));
    this.#next = 0;
  }

  /** Gives up what waits and what has no slot yet; goes back in any case. */
  abandon(why: ReturnReason): void {
    for (const begun of [...this.running.values()]) if (begun.slot === undefined) this.unbegin(begun);
    this.drop(why);
    this.#why ??= why;
  }

  /** Goes back with this reason even when no task of it is left to name. */
  refuse(why: ReturnReason, begunBefore: (index: number) => boolean = () => false): void {
    this.#why = why;
    this.#dropped = this.body.tasks.map(({ index }) => index).filter((index) => !begunBefore(index));
    this.#waiting = [];
    this.#next = 0;
  }
}
