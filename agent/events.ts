import type { Clock } from '../shared/clock.ts';
import type { Queue } from '../shared/providers/ports.ts';
import { type AgentEvent, EVENT_VERSION } from '../shared/wire/event.ts';
import type { AgentIdentity } from './types.ts';

/** Larger messages than this are never sent, whatever the queue takes: the collector reads many at a time. */
const LARGEST_BATCH_BYTES = 256 * 1024;

/** Room for the head of a batch: names are at most 64 characters each. */
const HEAD_BYTES = 512;

/** One claim in a heartbeat: a unit's id of at most 64 characters, its quotes and a comma. */
const CLAIM_BYTES = 67;
/** A receive may bring so many more than there was room for. */
const CLAIMS_SPARE = 64;

/** JSON in ASCII alone: queues differ in which other characters they take, and its length is its size in bytes. */
export const asciiJson = (value: unknown): string =>
  JSON.stringify(value).replace(
    /[\u007f-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );

/** An event already as JSON, so that an outcome is written out once for both its segment and its event. */
export const eventText = (event: AgentEvent): string => asciiJson(event);

/** The outcome event around outcomes written out before; null when they do not fit a message. */
export const outcomeEventText = (segment: string, outcomes: readonly string[] | null): string =>
  `{"type":"outcome","segment":${asciiJson(segment)},"outcomes":${outcomes === null ? 'null' : `[${outcomes.join(',')}]`}}`;

export interface EventSenderOptions {
  queue: Queue;
  ns: string;
  identity: AgentIdentity;
  clock: Clock;
}

/** Makes batches of one boot's events and sends them. Every batch gets the next number of the boot. */
export class EventSender {
  /** The most that the events of one batch may take, in bytes. */
  readonly maxEventBytes: number;
  readonly #options: EventSenderOptions;
  #seq = 0;

  constructor(options: EventSenderOptions) {
    this.#options = options;
    this.maxEventBytes = Math.min(options.queue.capabilities.maxBodyBytes, LARGEST_BATCH_BYTES) - HEAD_BYTES;
  }

  /** So many units may be in hand and still be claimed by one heartbeat, which cannot be cut in two (R7). */
  get mostClaims(): number {
    const most = Math.floor((this.maxEventBytes - HEAD_BYTES) / CLAIM_BYTES);
    return Math.max(1, most - CLAIMS_SPARE);
  }

  /**
   * The events as batches, in order, in as few as will hold them. Takes the sequence numbers, so it belongs into the
   * same synchronous step as the look at what is claimed: the highest number decides what the boot claims (R7).
   */
  pack(events: readonly string[]): string[] {
    const bodies: string[] = [];
    let part: string[] = [];
    let bytes = 0;
    for (const event of events) {
      if (part.length > 0 && bytes + event.length + 1 > this.maxEventBytes) {
        bodies.push(this.#body(part));
        part = [];
        bytes = 0;
      }
      part.push(event);
      bytes += event.length + 1;
    }
    if (part.length > 0) bodies.push(this.#body(part));
    return bodies;
  }

  /** Sends packed batches; resolves to those that were not sent, with the first cause. */
  async send(bodies: readonly string[]): Promise<{ unsent: string[]; cause: unknown }> {
    if (bodies.length === 0) return { unsent: [], cause: undefined };
    const results = await this.#options.queue.send(bodies);
    const unsent = bodies.filter((_, i) => results[i]?.ok !== true);
    const failure = results.find((result) => !result.ok);
    return { unsent, cause: failure?.ok === false ? failure.cause : undefined };
  }

  /** Packs and sends in one go; rejects when any of it was not sent. */
  async sendNow(events: readonly AgentEvent[]): Promise<void> {
    const { unsent, cause } = await this.send(this.pack(events.map(eventText)));
    if (unsent.length > 0) throw new Error(`${unsent.length} event batches were not sent`, { cause });
  }

  #body(events: readonly string[]): string {
    const { ns, identity, clock } = this.#options;
    const head = asciiJson({ v: EVENT_VERSION, ns, ...identity, seq: this.#seq, sentAt: clock.now() });
    this.#seq += 1;
    return `${head.slice(0, -1)},"events":[${events.join(',')}]}`;
  }
}
