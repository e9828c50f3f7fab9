import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { z } from 'zod';
import { ClobiError, isCode } from '../../shared/errors.ts';
import type { ObjectStore } from '../../shared/providers/ports.ts';
import { Service } from '../../shared/service.ts';
import { EPOCH_KEY } from '../../shared/wire/keys.ts';
import type { Context } from './context.ts';
import { listAll, readText } from './read-segments.ts';

/** `coordinator/epoch.json`: which coordinator's life the store belongs to (R12). */
const epochSchema = z.object({
  epoch: z.number().int().positive(),
  host: z.string(),
  pid: z.number().int(),
  startedAt: z.number().int(),
  /** Random per start. */
  token: z.string(),
  /** Set by a graceful stop: anyone may start. */
  stoppedAt: z.number().int().optional(),
});
export type EpochRecord = z.infer<typeof epochSchema>;

export async function readEpoch(store: ObjectStore): Promise<EpochRecord | undefined> {
  try {
    return epochSchema.parse(JSON.parse(await readText(store, EPOCH_KEY)));
  } catch (error) {
    if (isCode(error, 'NOT_FOUND')) return undefined;
    throw error;
  }
}

/** What decides whether we may start. */
export interface EpochSituation {
  /** The epoch of our state; 0 for a new one. */
  ours: number;
  record: EpochRecord | undefined;
  host: string;
  /** True when the lock on the state directory also covers the store: it lies within. */
  lockCoversStore: boolean;
  takeOver: boolean;
}

/**
 * The epoch to start with. An unbroken life keeps its own; a new state, and a take-over, get a higher one than was ever
 * used. Throws `STALE_EPOCH` when the store belongs to another coordinator.
 */
export function decideEpoch(at: EpochSituation): number {
  const { ours, record } = at;
  if (record === undefined) return Math.max(1, ours);
  const running = record.stoppedAt === undefined && record.host !== at.host && !at.lockCoversStore;
  const overtaken = ours > 0 && record.epoch > ours;
  if ((running || overtaken) && !at.takeOver) throw new ClobiError('STALE_EPOCH', describeOther(record));
  if (ours === 0 || at.takeOver) return Math.max(ours, record.epoch) + 1;
  return ours;
}

const describeOther = (record: EpochRecord): string =>
  `The store belongs to the coordinator with process id ${record.pid} on ${record.host}, since ` +
  `${new Date(record.startedAt).toISOString()} (epoch ${record.epoch}). Stop that one, or start this one with --take-over if it is gone.`;

/** A state without jobs over a store with some has been lost: starting would forget them. */
export async function refuseLostState(store: ObjectStore, hasState: boolean): Promise<void> {
  if (hasState) return;
  for await (const key of listAll(store, 'jobs/')) {
    throw new ClobiError(
      'CONFLICT',
      `The state is empty, but the store holds jobs (${key}). Run \`clobi coordinator rebuild\` to bring them back.`,
    );
  }
}

type GuardContext = Pick<Context, 'store' | 'state' | 'clock' | 'config' | 'log'>;

/** Holds the epoch object: puts it at start, looks whether it is still ours, and says so when we stop. */
export class EpochGuard {
  readonly service: Service;
  readonly #context: GuardContext;
  readonly #token = randomBytes(16).toString('hex');
  readonly #onLost: (error: ClobiError) => void;
  #record: EpochRecord | undefined;

  /** `onLost` is called once, when another coordinator has taken over. */
  constructor(context: GuardContext, onLost: (error: ClobiError) => void) {
    this.#context = context;
    this.#onLost = onLost;
    this.service = new Service({
      name: 'epoch',
      intervalMs: context.config.epochCheckMs,
      log: context.log,
      runOnce: () => this.runOnce(),
    });
  }

  /** Takes the store, or throws `STALE_EPOCH`. */
  async take(situation: Pick<EpochSituation, 'lockCoversStore' | 'takeOver'>): Promise<void> {
    const { store, state, clock } = this.#context;
    const host = hostname();
    const record = await readEpoch(store);
    const epoch = decideEpoch({ ...situation, host, record, ours: state.epoch() });
    this.#record = { epoch, host, pid: process.pid, startedAt: clock.now(), token: this.#token };
    await store.put(EPOCH_KEY, JSON.stringify(this.#record));
    if (epoch !== state.epoch()) state.setEpoch(epoch);
  }

  start(): void {
    this.service.start();
  }

  async stop(): Promise<void> {
    await this.service.stop();
  }

  /** Lets others start. Only where the object is still ours. */
  async release(): Promise<void> {
    const { store, clock } = this.#context;
    if (this.#record === undefined || (await readEpoch(store))?.token !== this.#token) return;
    await store.put(EPOCH_KEY, JSON.stringify({ ...this.#record, stoppedAt: clock.now() }));
  }

  async runOnce(): Promise<boolean> {
    const record = await readEpoch(this.#context.store);
    if (this.#record === undefined || record === undefined || record.token === this.#token) return false;
    this.#record = undefined;
    this.#onLost(new ClobiError('STALE_EPOCH', describeOther(record)));
    return false;
  }
}
