import type { Logger } from 'pino';
import { Service } from '../shared/service.ts';
import type { AgentEvent } from '../shared/wire/event.ts';
import { type EventSender, eventText } from './events.ts';
import type { HeldUnits } from './held-units.ts';

export interface HeartbeatOptions {
  events: EventSender;
  held: HeldUnits;
  intervalMs: number;
  load: () => { running: number; freeSlots: number; requests?: Record<string, number> };
  /** Who we are, while we take work. Said again each time: the first hello may be lost, or forgotten with the state (R11). */
  hello: () => AgentEvent | undefined;
  log: Logger;
}

/** Tells at regular intervals that we live and what we hold (R4, R7), outside of any task's path. */
export class Heartbeat {
  readonly #options: HeartbeatOptions;
  readonly #service: Service;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
    const { intervalMs, log } = options;
    this.#service = new Service({ name: 'heartbeat', intervalMs, log, runOnce: () => this.runOnce() });
  }

  start(): void {
    this.#service.start();
  }

  stop(): Promise<void> {
    return this.#service.stop();
  }

  /** Asks for one soon. */
  wake(): void {
    this.#service.wake();
  }

  /** Sends one heartbeat. One that fails is not sent again: the next says what is true then. */
  async runOnce(): Promise<false> {
    const { events, held, load, hello } = this.#options;
    const greeting = hello();
    const claimed = held.claimed();
    // No await between the look at what is held and the number that `pack` takes: the highest number decides (R7).
    const claims = [...new Set(claimed.map(({ id }) => id))];
    const beat = eventText({ type: 'heartbeat', claims, ...load() });
    const { unsent, cause } = await events.send(
      events.pack(greeting === undefined ? [beat] : [eventText(greeting), beat]),
    );
    if (unsent.length > 0) throw new Error('heartbeat was not sent', { cause });
    for (const unit of claimed) unit.claimed = true;
    return false;
  }
}
