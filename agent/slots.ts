import type { JobSpec } from '../shared/job-spec.ts';
import type { Capacity } from '../shared/wire/event.ts';
import type { Slot } from './types.ts';

/** What one task takes of the machine while it runs. Cpus in thousandths, so that sums are exact. */
export interface Need {
  milliCpus: number;
  memoryBytes: number;
  gpus: number;
  diskBytes: number;
}

export function needOf(spec: JobSpec): Need {
  const { cpus, memoryBytes, gpus, diskBytes } = spec.resources;
  return {
    milliCpus: Math.ceil(cpus * 1000),
    memoryBytes: memoryBytes ?? 0,
    gpus,
    diskBytes: diskBytes ?? 0,
  };
}

const covers = (room: Need, need: Need): boolean =>
  room.milliCpus >= need.milliCpus &&
  room.memoryBytes >= need.memoryBytes &&
  room.gpus >= need.gpus &&
  room.diskBytes >= need.diskBytes;

/** Starts the slot of that number, counted from 1. */
export type StartSlot = (number: number) => Promise<Slot>;

/**
 * The machine's room for tasks. A place is reserved at once, by `reserve`; the slot to fill it is started when
 * first needed and used again afterwards, so a machine never has more slots than tasks ran on it at a time.
 */
export class Slots {
  readonly #total: Need;
  readonly #free: Need;
  readonly #startSlot: StartSlot;
  readonly #idle: Slot[] = [];
  readonly #all = new Set<Slot>();
  #freeSlots: number;
  #started = 0;

  constructor(capacity: Capacity, startSlot: StartSlot) {
    const { cpus, memoryBytes, gpus, diskBytes = Number.MAX_SAFE_INTEGER } = capacity;
    this.#total = { milliCpus: Math.floor(cpus * 1000), memoryBytes, gpus, diskBytes };
    this.#free = { ...this.#total };
    this.#freeSlots = capacity.slots;
    this.#startSlot = startSlot;
  }

  get freeSlots(): number {
    return this.#freeSlots;
  }

  /** There may be a task that could start now. */
  hasRoom(): boolean {
    return this.#freeSlots > 0 && this.#free.milliCpus > 0;
  }

  /** How many such tasks could start now. */
  roomFor(need: Need): number {
    const parts = [
      [this.#free.milliCpus, need.milliCpus],
      [this.#free.memoryBytes, need.memoryBytes],
      [this.#free.gpus, need.gpus],
      [this.#free.diskBytes, need.diskBytes],
    ];
    const counts = parts.map(([free = 0, wanted = 0]) =>
      wanted === 0 ? Infinity : Math.floor(free / wanted),
    );
    return Math.min(this.#freeSlots, ...counts);
  }

  /** The machine could hold such a task if it did nothing else. */
  couldEverHold(need: Need): boolean {
    return covers(this.#total, need);
  }

  /** Takes a place; false when there is none now. */
  reserve(need: Need): boolean {
    if (this.#freeSlots === 0 || !covers(this.#free, need)) return false;
    this.#change(need, -1);
    return true;
  }

  release(need: Need): void {
    this.#change(need, 1);
  }

  /** A slot for a place reserved before. Rejects when it cannot be started. */
  obtain(): Slot | Promise<Slot> {
    return this.#idle.pop() ?? this.#start();
  }

  putBack(slot: Slot): void {
    this.#idle.push(slot);
  }

  /** For a slot that broke its contract. */
  async discard(slot: Slot): Promise<void> {
    this.#all.delete(slot);
    await slot.close();
  }

  async close(): Promise<void> {
    const closing = [...this.#all].map((slot) => slot.close());
    this.#all.clear();
    this.#idle.length = 0;
    await Promise.allSettled(closing);
  }

  async #start(): Promise<Slot> {
    this.#started += 1;
    const slot = await this.#startSlot(this.#started);
    this.#all.add(slot);
    return slot;
  }

  #change(need: Need, sign: 1 | -1): void {
    this.#freeSlots += sign;
    this.#free.milliCpus += sign * need.milliCpus;
    this.#free.memoryBytes += sign * need.memoryBytes;
    this.#free.gpus += sign * need.gpus;
    this.#free.diskBytes += sign * need.diskBytes;
  }
}
