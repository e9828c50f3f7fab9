import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { Agent, type AgentParts } from '../../../agent/agent.ts';
import type { AgentIdentity } from '../../../agent/types.ts';
import { systemClock } from '../../../shared/clock.ts';
import { ClobiError } from '../../../shared/errors.ts';
import { type AgentId, newBootId } from '../../../shared/ids.ts';
import { LocalQueue } from '../../../shared/providers/local/queue.ts';
import { FileStore } from '../../../shared/providers/local/store.ts';
import { type Control, EMPTY_CONTROL } from '../../../shared/wire/control.ts';
import {
  type AgentEvent,
  type Capacity,
  type EventBatch,
  eventBatchSchema,
  type Outcome,
  outcomeSchema,
} from '../../../shared/wire/event.ts';
import { controlKey } from '../../../shared/wire/keys.ts';
import type { UnitBody } from '../../../shared/wire/unit.ts';
import { waitFor } from '../../helpers/wait.ts';
import { type FakeEnd, FakeSlot } from './fake-slot.ts';
import { publicKey, sealed } from './units.ts';
import { type Failing, watchEvents, watchStore, watchUnits } from './watched.ts';

/** How long a test waits for what should happen. Short where it is planted not to. */
const DEADLINE_MS = Number(process.env['CLOBI_TEST_DEADLINE_MS'] ?? 10_000);

export interface RigOptions {
  capacity?: Partial<Capacity>;
  timing?: Partial<AgentParts['settings']['config']['timing']>;
  parts?: Partial<AgentParts>;
}

/** A whole agent on real queues and a real store in a directory of its own, with slots that the test controls. */
export class Rig {
  readonly identity: AgentIdentity;
  /** What the agent did to the outside, in order: `put KEY`, `send TYPE…`, `delete`, `extend`, and calls of slots. */
  readonly ops: string[] = [];
  readonly begun: string[] = [];
  readonly running = new Map<string, (result: FakeEnd) => void>();
  readonly batches: EventBatch[] = [];
  readonly logged: string[] = [];
  autoEnd = true;
  output = '';
  /** So many of the next calls fail. */
  readonly failures = { put: 0, send: 0, done: 0, slot: 0, get: 0 };
  slotsStarted = 0;
  receives = 0;
  /** Event batches that the agent has sent. */
  sent = 0;
  readonly directory: string;
  readonly units: LocalQueue;
  readonly events: LocalQueue;
  readonly store: FileStore;
  readonly agent: Agent;
  finished: Promise<void> = Promise.resolve();
  isFinished = false;
  readonly #drain = new AbortController();
  readonly #now = new AbortController();
  readonly #listening = new AbortController();
  #listener: Promise<void> = Promise.resolve();

  private constructor(directory: string, store: FileStore, options: RigOptions) {
    this.directory = directory;
    this.store = store;
    this.units = LocalQueue.open(join(directory, 'units.sqlite'));
    this.events = LocalQueue.open(join(directory, 'events.sqlite'));
    this.identity = { pool: 'local', agent: 'a1' as AgentId, boot: newBootId() };
    this.agent = new Agent(this.#parts(options));
  }

  static async create(options: RigOptions = {}): Promise<Rig> {
    const directory = await mkdtemp(join(tmpdir(), 'clobi-agent-'));
    const rig = new Rig(directory, await FileStore.open(join(directory, 'store')), options);
    await rig.units.ensure();
    await rig.events.ensure();
    rig.#listener = rig.#listen();
    return rig;
  }

  /** Starts the agent. */
  start(): this {
    this.finished = this.agent
      .run({ drain: this.#drain.signal, now: this.#now.signal })
      .finally(() => (this.isFinished = true));
    return this;
  }

  drain(): void {
    this.#drain.abort();
  }

  leave(): void {
    this.#drain.abort();
    this.#now.abort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    Object.assign(this.failures, { put: 0, send: 0, done: 0, slot: 0, get: 0 });
    this.leave();
    await this.finished;
    this.#listening.abort();
    await this.#listener;
    await this.events.close();
    await this.units.close();
    await rm(this.directory, { recursive: true, force: true });
  }

  async send(...units: unknown[]): Promise<void> {
    await this.units.send(units.map((unit) => (typeof unit === 'string' ? unit : sealed(unit))));
  }

  async control(control: Partial<Control>): Promise<void> {
    await this.store.put(controlKey('local'), JSON.stringify({ ...EMPTY_CONTROL, ...control }));
  }

  /** Ends a running fake task; waits until it runs. */
  async end(unit: UnitBody, index: number, result: FakeEnd = 'succeeded'): Promise<void> {
    const name = `${unit.unit}/${index}`;
    const finish = await waitFor(`${name} runs`, () => this.running.get(name), DEADLINE_MS);
    finish(result);
  }

  all<T extends AgentEvent['type']>(type: T): Extract<AgentEvent, { type: T }>[] {
    const events = [...this.batches].sort((a, b) => a.seq - b.seq).flatMap((batch) => batch.events);
    return events.filter((event): event is Extract<AgentEvent, { type: T }> => event.type === type);
  }

  /** Every outcome that an event told of, read from its segment: the durable fact. */
  async outcomes(): Promise<Outcome[]> {
    await this.heard();
    const segments = this.all('outcome').map(({ segment }) => this.segment(segment));
    return (await Promise.all(segments)).flat();
  }

  /** Waits until everything that the agent has sent so far is in `batches`. */
  async heard(): Promise<void> {
    const { sent } = this;
    await this.when('what was sent is heard', () => this.batches.length >= sent);
  }

  async segment(key: string): Promise<Outcome[]> {
    const object = await this.store.get(key);
    const parts: Buffer[] = [];
    for await (const part of object?.body ?? []) parts.push(part as Buffer);
    const lines = Buffer.concat(parts)
      .toString()
      .split('\n')
      .filter((line) => line !== '');
    return lines.map((line) => outcomeSchema.parse(JSON.parse(line)));
  }

  /** Waits until the agent has told of so many events of a type. */
  until<T extends AgentEvent['type']>(type: T, count = 1): Promise<Extract<AgentEvent, { type: T }>[]> {
    return waitFor(
      `${count} ${type} events`,
      () => {
        const found = this.all(type);
        return found.length >= count && found;
      },
      DEADLINE_MS,
    );
  }

  when(what: string, ask: () => boolean | Promise<boolean>): Promise<unknown> {
    return waitFor(what, ask, DEADLINE_MS);
  }

  deletes(): number {
    return this.ops.filter((op) => op === 'delete').length;
  }

  /** The last heartbeat's claims. */
  claims(): string[] | undefined {
    return this.all('heartbeat').at(-1)?.claims;
  }

  async #listen(): Promise<void> {
    while (!this.#listening.signal.aborted) {
      const deliveries = await this.events.receive({
        max: 50,
        waitMs: 1_000,
        leaseMs: 10_000,
        signal: this.#listening.signal,
      });
      for (const delivery of deliveries) {
        this.batches.push(eventBatchSchema.parse(JSON.parse(delivery.body)));
        await delivery.done();
      }
    }
  }

  fail(what: Failing): void {
    if (this.failures[what] <= 0) return;
    this.failures[what] -= 1;
    throw new ClobiError('UNAVAILABLE', `planned failure of ${what}`);
  }

  #parts({ capacity, timing, parts }: RigOptions): AgentParts {
    const full = { slots: 2, cpus: 2, memoryBytes: 2 ** 30, gpus: 0, ...capacity };
    const config = {
      v: 1 as const,
      ns: 'test',
      pool: 'local',
      unitsQueue: '',
      eventsQueue: '',
      store: '',
      publicKey,
      labels: {},
      timing: { heartbeatMs: 50, leaseMs: 2_000, flushMs: 20, controlPollMs: 20, ...timing },
    };
    const log = pino({ level: 'debug' }, { write: (line: string) => void this.logged.push(line) });
    return {
      settings: { home: '', pool: 'local', name: undefined, capacity: full, labels: {}, config },
      identity: this.identity,
      units: watchUnits(this.units, this),
      eventsQueue: watchEvents(this.events, this),
      store: watchStore(this.store, this),
      startSlot: async () => {
        this.fail('slot');
        this.slotsStarted += 1;
        return new FakeSlot(this);
      },
      hello: {
        type: 'hello',
        host: 'h',
        pid: 1,
        arch: 'x64',
        version: '0',
        capacity: full,
        labels: {},
        isolation: 'none',
      },
      clock: systemClock,
      log,
      ...parts,
    };
  }
}
