import { mkdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { systemClock } from '../shared/clock.ts';
import { ClobiError } from '../shared/errors.ts';
import type { ObjectStore } from '../shared/providers/ports.ts';
import type { Outcome } from '../shared/wire/event.ts';
import type { Isolation } from './process/isolation.ts';
import { Launcher } from './process/launcher.ts';
import { TextFile } from './process/text-file.ts';
import { removeTree, WorkDirectory } from './process/work-directory.ts';
import { type Place, runTask, type StopState } from './run-task.ts';
import type { InputCache } from './steps/input-cache.ts';
import type { StopReason } from './steps/judge.ts';
import type { AgentIdentity, Slot, TaskToRun } from './types.ts';

export interface SlotOptions {
  /** This slot's own; made when missing, removed by `close`. */
  directory: string;
  number: number;
  identity: AgentIdentity;
  store: ObjectStore;
  /** Shared by the slots of an agent. */
  cache: InputCache;
  log: Logger;
  /** What `probeIsolation` found. */
  isolation: Isolation;
}

/** Rejects with `INTERNAL` when the machine does not let a helper process start. */
export async function startSlot(options: SlotOptions): Promise<Slot> {
  await mkdir(options.directory, { recursive: true, mode: 0o700 });
  const directory = await realpath(options.directory);
  const log = options.log.child({ slot: options.number });
  const launcher = await Launcher.open({ directory, isolation: options.isolation, log });
  const { identity, store, cache } = options;
  const place: Place = {
    identity,
    store,
    cache,
    clock: systemClock,
    launcher,
    workDirectory: new WorkDirectory(directory, log),
    script: new TextFile(join(directory, 'script')),
    stdin: new TextFile(join(directory, 'stdin')),
  };
  return new LocalSlot(place, directory);
}

interface Current {
  task: TaskToRun;
  stop: StopState;
  cancel: AbortController;
  ended: Promise<Outcome>;
}

/** States: idle → running → idle …; closed from any. A running task may have been told to stop, once or twice. */
class LocalSlot implements Slot {
  readonly #place: Place;
  readonly #directory: string;
  #current: Current | undefined;
  #closed: Promise<void> | undefined;

  constructor(place: Place, directory: string) {
    this.#place = place;
    this.#directory = directory;
  }

  async run(task: TaskToRun): Promise<Outcome> {
    if (this.#current !== undefined || this.#closed !== undefined)
      throw new ClobiError(
        'INTERNAL',
        'A slot was given a task while it was running one, or after it was closed.',
      );
    const cancel = new AbortController();
    const graceMs = task.spec.timeout.graceMs;
    const stop: StopState = {
      reason: undefined,
      cancelled: cancel.signal,
      onLimit: (limit) => this.#stop(limit, limit === 'oom' ? 0 : graceMs),
    };
    const ended = runTask(this.#place, task, stop);
    this.#current = { task, stop, cancel, ended };
    try {
      return await ended;
    } finally {
      this.#current = undefined;
    }
  }

  cancel(): void {
    this.#stop('cancelled', this.#current?.task.spec.timeout.graceMs ?? 0);
  }

  kill(): void {
    this.#stop('cancelled', 0);
  }

  follow(on: boolean): void {
    this.#place.launcher.follow(on);
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  #stop(reason: StopReason, graceMs: number): void {
    const current = this.#current;
    if (current === undefined) return;
    current.stop.reason ??= reason;
    if (reason === 'cancelled') current.cancel.abort(new ClobiError('CONFLICT', 'The task was cancelled.'));
    this.#place.launcher.stop(graceMs);
  }

  async #close(): Promise<void> {
    const running = this.#current?.ended;
    this.kill();
    await running;
    await this.#place.launcher.close();
    await this.#place.workDirectory.close();
    await removeTree(this.#directory);
  }
}
