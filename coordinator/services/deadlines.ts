import { Service } from '../../shared/service.ts';
import type { Context } from './context.ts';

const INTERVAL_MS = 1_000;

/** Ends tasks that have waited longer than their job's `timeout.queue`. */
export class Deadlines {
  readonly service: Service;
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
    this.service = new Service({
      name: 'deadlines',
      intervalMs: INTERVAL_MS,
      log: context.log,
      runOnce: () => Promise.resolve(this.runOnce()),
    });
  }

  start(): void {
    this.service.start();
  }

  async stop(): Promise<void> {
    await this.service.stop();
  }

  runOnce(): boolean {
    const { state, clock, signals, log } = this.#context;
    const cancelled = state.cancelOverdue(clock.now());
    if (cancelled === 0) return false;
    log.info({ tasks: cancelled }, 'tasks cancelled: they waited longer than timeout.queue');
    signals.announce({ verdicts: true, dispatchable: true, revokes: true });
    return false;
  }
}
