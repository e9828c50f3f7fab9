import type { Logger } from 'pino';
import { isCode, messageOf } from '../shared/errors.ts';
import type { ObjectStore } from '../shared/providers/ports.ts';
import { Service } from '../shared/service.ts';
import {
  CONTROL_VERSION,
  type Control,
  controlSchema,
  drainName,
  EMPTY_CONTROL,
} from '../shared/wire/control.ts';
import { controlKey } from '../shared/wire/keys.ts';
import { readText } from './read-text.ts';
import type { AgentIdentity } from './types.ts';

const LARGEST_CONTROL_BYTES = 16 * 1024 * 1024;

export interface ControlWatchOptions {
  store: ObjectStore;
  pool: string;
  agent: string;
  pollMs: number;
  log: Logger;
  /** The document has changed. */
  onChange: (control: ControlView) => void;
}

/** What is revoked of a unit: `all` of it, or the tasks with these indices. */
export type Revoked = 'all' | ReadonlySet<number>;

/** The control document, made ready for look-ups. */
export class ControlView {
  readonly #revokes = new Map<string, Revoked>();
  readonly #follows: ReadonlySet<string>;
  readonly #drains: ReadonlySet<string>;
  readonly #recalls: ReadonlySet<string>;

  constructor(control: Control) {
    for (const { unit, tasks } of control.revokes) this.#revoke(unit, tasks);
    this.#follows = new Set(control.follows);
    this.#drains = new Set(control.drains);
    this.#recalls = new Set(control.recalls);
  }

  revoked(unit: string): Revoked | undefined {
    return this.#revokes.get(unit);
  }

  /** The unit is asked back: what has not begun of it goes, what runs stays. */
  isRecalled(unit: string): boolean {
    return this.#recalls.has(unit);
  }

  isFollowed(job: string): boolean {
    return this.#follows.has(job);
  }

  drains({ agent, boot }: Pick<AgentIdentity, 'agent' | 'boot'>): boolean {
    return [drainName(agent, boot), agent, '*'].some((name) => this.#drains.has(name));
  }

  #revoke(unit: string, tasks: readonly number[] | null): void {
    const before = this.#revokes.get(unit);
    if (before === 'all' || tasks === null) this.#revokes.set(unit, 'all');
    else this.#revokes.set(unit, new Set([...(before ?? []), ...tasks]));
  }
}

/** Polls the pool's control document (R8). A document that cannot be read changes nothing and is logged once. */
export class ControlWatch {
  readonly #options: ControlWatchOptions;
  readonly #service: Service;
  #view = new ControlView(EMPTY_CONTROL);
  #etag: string | undefined;
  #failing = false;

  constructor(options: ControlWatchOptions) {
    this.#options = options;
    this.#service = new Service({
      name: 'control',
      intervalMs: options.pollMs,
      log: options.log,
      runOnce: () => this.poll(),
    });
  }

  get view(): ControlView {
    return this.#view;
  }

  start(): void {
    this.#service.start();
  }

  stop(): Promise<void> {
    return this.#service.stop();
  }

  /** One look at the document. Resolves to false: there is never more to do at once. */
  async poll(): Promise<false> {
    try {
      await this.#read();
      this.#failing = false;
    } catch (error) {
      if (!isCode(error, 'NOT_FOUND')) this.#complain(error);
    }
    return false;
  }

  async #read(): Promise<void> {
    const { store, pool } = this.#options;
    const read = await readText(store, controlKey(pool), {
      maxBytes: LARGEST_CONTROL_BYTES,
      ifNoneMatch: this.#etag,
    });
    if (read === undefined) return;
    // Kept for a document that is nonsense as well: it is not read again before it changes.
    this.#etag = read.etag;
    const control = controlSchema.parse(JSON.parse(read.text));
    if (control.v > CONTROL_VERSION)
      throw new Error(`its version ${control.v} is newer than ${CONTROL_VERSION}`);
    this.#view = new ControlView(control);
    this.#options.onChange(this.#view);
  }

  #complain(error: unknown): void {
    if (this.#failing) return;
    this.#failing = true;
    this.#options.log.error({ err: error }, `control document cannot be read: ${messageOf(error)}`);
  }
}
