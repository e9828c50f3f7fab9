import type { Logger } from 'pino';
import { isCode, messageOf } from '../shared/errors.ts';
import { faultPoint, isPlanted } from '../shared/fault.ts';
import type { ObjectStore } from '../shared/providers/ports.ts';
import { Service } from '../shared/service.ts';
import type { Outcome } from '../shared/wire/event.ts';
import { segmentKey } from '../shared/wire/keys.ts';
import { asciiJson, type EventSender, eventText, outcomeEventText } from './events.ts';
import type { HeldUnits } from './held-units.ts';
import type { AgentIdentity } from './types.ts';
import type { RunningTask, UnitInHand } from './unit-in-hand.ts';

/**
 * So much is written at once even before the flush time is over, and no more goes into one segment: a little less than
 * the largest event batch, so that the outcomes fit their event where the queue takes it.
 */
const SEGMENT_BYTES = 250 * 1024;
/** So many of a unit's tasks in one event: it must fit the smallest message that any queue takes. */
const STARTED_AT_ONCE = 100;
/** When nothing else wakes it; only a delete that failed waits for this. */
const LONGEST_PAUSE_MS = 1_000;

export interface ReporterOptions {
  identity: AgentIdentity;
  store: ObjectStore;
  events: EventSender;
  held: HeldUnits;
  flushMs: number;
  /** A unit that the coordinator counts as ours has gone back: it should soon hear that we do not claim it any more. */
  onReturned: () => void;
  log: Logger;
}

interface Written {
  unit: UnitInHand;
  line: string;
}

/** What goes out together. `bodies` is undefined until packed, then shrinks to what is still unsent. */
interface Batch {
  outcomes: Written[];
  returned: UnitInHand[];
  rejected: string[];
  announced: Set<UnitInHand>;
  segment: string | undefined;
  stored: boolean;
  bodies: string[] | undefined;
}

/**
 * Tells the coordinator what happened, in the order of R4: the outcomes go into a segment, the segment is PUT, the
 * event is sent, the message is deleted; each awaited. A failure at any step is tried again from that very step,
 * for ever; nothing is dropped, and the units stay claimed meanwhile.
 */
export class Reporter {
  readonly #options: ReporterOptions;
  readonly #service: Service;
  #outcomes: Written[] = [];
  #bytes = 0;
  #returned: UnitInHand[] = [];
  #rejected: string[] = [];
  #batch: Batch | undefined;
  #settled = new Set<UnitInHand>();
  #segments = 0;
  #timer: NodeJS.Timeout | undefined;
  #due = false;

  constructor(options: ReporterOptions) {
    this.#options = options;
    this.#service = new Service({
      name: 'report',
      intervalMs: LONGEST_PAUSE_MS,
      log: options.log,
      runOnce: () => this.#flush(),
    });
  }

  start(): void {
    this.#service.start();
  }

  /** Resolves when the pass under way has ended; what is not reported by then stays unreported. */
  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#service.stop();
  }

  /** Bytes of outcomes that are in no segment yet. */
  get bufferedBytes(): number {
    return this.#bytes;
  }

  /** A task was begun: it is announced with the next flush, if it still runs then. */
  begun(): void {
    this.#flushLater();
  }

  outcome(unit: UnitInHand, outcome: Outcome): void {
    const line = asciiJson(outcome);
    this.#outcomes.push({ unit, line });
    this.#bytes += line.length + 1;
    if (this.#bytes >= SEGMENT_BYTES) this.flushSoon();
    else this.#flushLater();
  }

  /** The unit is over, and some of it goes back. Comes after all of its outcomes. */
  handBack(unit: UnitInHand): void {
    this.#returned.push(unit);
    this.flushSoon();
  }

  rejected(why: string, sample: string): void {
    this.#rejected.push(eventText({ type: 'rejected', why, sample: sample.slice(0, 512) }));
    this.#flushLater();
  }

  flushSoon(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#due = true;
    this.#service.wake();
  }

  #flushLater(): void {
    this.#timer ??= setTimeout(() => this.flushSoon(), this.#options.flushMs);
  }

  async #flush(): Promise<boolean> {
    if (this.#batch === undefined && this.#due) this.#batch = this.#fill();
    const batch = this.#batch;
    if (batch !== undefined) {
      if (isPlanted('event-before-segment')) await this.#sendEvents(batch);
      await this.#putSegment(batch);
      await this.#sendEvents(batch);
      this.#settle(batch);
      this.#batch = undefined;
    }
    await this.#deleteSettled();
    return this.#due;
  }

  #fill(): Batch {
    const outcomes = this.#takeOutcomes();
    const rest = this.#outcomes.length > 0;
    // A unit's `returned` comes after its last outcome, so it waits for a rest that may hold one.
    const returned = rest ? [] : this.#returned.splice(0);
    const rejected = this.#rejected.splice(0);
    this.#due = rest;
    const segment = outcomes.length > 0 ? this.#nextSegment() : undefined;
    return { outcomes, returned, rejected, announced: new Set(), segment, stored: false, bodies: undefined };
  }

  #takeOutcomes(): Written[] {
    let bytes = 0;
    let count = 0;
    for (const { line } of this.#outcomes) {
      if (count > 0 && bytes + line.length + 1 > SEGMENT_BYTES) break;
      bytes += line.length + 1;
      count += 1;
    }
    this.#bytes -= bytes;
    return this.#outcomes.splice(0, count);
  }

  #nextSegment(): string {
    const { pool, agent, boot } = this.#options.identity;
    this.#segments += 1;
    return segmentKey(pool, agent, boot, this.#segments);
  }

  async #putSegment(batch: Batch): Promise<void> {
    if (batch.segment === undefined || batch.stored) return;
    faultPoint('report.before-segment');
    await this.#options.store.put(batch.segment, batch.outcomes.map(({ line }) => `${line}\n`).join(''));
    batch.stored = true;
    faultPoint('report.after-segment');
  }

  async #sendEvents(batch: Batch): Promise<void> {
    batch.bodies ??= this.#options.events.pack(this.#eventsOf(batch));
    if (batch.bodies.length === 0) return;
    if (isPlanted('delete-before-returned'))
      await Promise.all(batch.returned.map((unit) => unit.delivery.done()));
    const { unsent, cause } = await this.#options.events.send(batch.bodies);
    batch.bodies = unsent;
    if (unsent.length > 0) throw new Error(`events were not sent: ${messageOf(cause)}`, { cause });
    if (batch.returned.length > 0) faultPoint('return.after-send');
    if (batch.segment !== undefined) faultPoint('report.after-event');
  }

  #eventsOf(batch: Batch): string[] {
    const events = [...this.#startedEvents(batch), ...batch.rejected];
    if (batch.segment !== undefined) {
      const lines = batch.outcomes.map(({ line }) => line);
      const whole = outcomeEventText(batch.segment, lines);
      events.push(
        whole.length <= this.#options.events.maxEventBytes ? whole : outcomeEventText(batch.segment, null),
      );
    }
    for (const unit of batch.returned) {
      const why = unit.returnReason;
      if (why === undefined || (why === 'redelivered' && isPlanted('delete-duplicate-silently'))) continue;
      const { receiveCount } = unit.delivery;
      events.push(
        eventText({ type: 'returned', unit: unit.id, receiveCount, why, notBegun: unit.notBegun() }),
      );
    }
    return events;
  }

  /** Tasks begun and not announced that still run: what ended meanwhile tells of itself. */
  #startedEvents(batch: Batch): string[] {
    const events: string[] = [];
    for (const unit of this.#options.held) {
      const begun = toAnnounce(unit);
      if (begun.length === 0) continue;
      for (const task of begun) task.announced = true;
      batch.announced.add(unit);
      const tasks = begun.map(({ task, run, startedAt }) => ({
        index: task.index,
        attempt: task.attempt,
        run,
        at: startedAt,
      }));
      for (let from = 0; from < tasks.length; from += STARTED_AT_ONCE)
        events.push(
          eventText({ type: 'started', unit: unit.id, tasks: tasks.slice(from, from + STARTED_AT_ONCE) }),
        );
    }
    return events;
  }

  #settle(batch: Batch): void {
    for (const unit of batch.announced) unit.claimed = true;
    for (const { unit } of batch.outcomes) {
      unit.reported(1);
      if (unit.isReported() && unit.returnReason === undefined) this.#settled.add(unit);
    }
    for (const unit of batch.returned) this.#settled.add(unit);
  }

  /** Deletes the messages of units that are done with. One that cannot be deleted now stays claimed and is tried again. */
  async #deleteSettled(): Promise<void> {
    if (this.#settled.size === 0) return;
    await Promise.all([...this.#settled].map((unit) => this.#delete(unit)));
    faultPoint('report.after-delete');
  }

  async #delete(unit: UnitInHand): Promise<void> {
    try {
      await unit.delivery.done();
    } catch (error) {
      // The message is somebody else's now: they will hand it back (R3).
      if (!isCode(error, 'LEASE_LOST')) {
        this.#options.log.warn({ unit: unit.id, err: error }, 'message could not be deleted; trying again');
        return;
      }
    }
    this.#settled.delete(unit);
    this.#options.held.remove(unit);
    if (unit.claimed && unit.returnReason !== undefined) this.#options.onReturned();
  }
}

/** The tasks of a unit that a `started` event should name now. One that ended does, when the unit was never claimed and goes on. */
function toAnnounce(unit: UnitInHand): RunningTask[] {
  const running = [...unit.running.values()].filter(
    ({ announced, slot }) => !announced && slot !== undefined,
  );
  if (running.length > 0 || unit.claimed || unit.isOver()) return running;
  const last = unit.lastBegun;
  return last === undefined || last.announced || unit.running.has(last.task.index) ? [] : [last];
}
