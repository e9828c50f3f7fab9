import { ClobiError, isCode } from '../../shared/errors.ts';
import { faultPoint, isPlanted } from '../../shared/fault.ts';
import type { ObjectStore } from '../../shared/providers/ports.ts';
import { Service } from '../../shared/service.ts';
import { verdictKey } from '../../shared/wire/keys.ts';
import type { Context } from './context.ts';
import { readText } from './read-segments.ts';

const IDLE_MS = 5_000;
const BATCH = 2_000;

/** R11: writes final states as verdict objects; only then they are shown and start dependent tasks. */
export class Exporter {
  readonly service: Service;
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
    this.service = new Service({
      name: 'exporter',
      intervalMs: IDLE_MS,
      log: context.log,
      runOnce: () => this.runOnce(),
    });
    context.signals.on('verdicts', () => this.service.wake());
  }

  start(): void {
    this.service.start();
  }

  async stop(): Promise<void> {
    await this.service.stop();
  }

  /** One object; true when there may be more. */
  async runOnce(): Promise<boolean> {
    const { state, store, clock, signals, metrics } = this.#context;
    const pending = state.pendingVerdicts(BATCH);
    if (pending === undefined) return false;
    faultPoint('verdict.before-put');
    const lines = pending.verdicts.map((verdict) => `${JSON.stringify(verdict)}\n`);
    if (!isPlanted('no-verdict-export'))
      await putOnce(store, verdictKey(state.epoch(), pending.number), lines.join(''));
    faultPoint('verdict.after-put');
    const applied = state.markExported(pending.number, clock.now());
    faultPoint('verdict.after-mark');
    metrics.verdictsExported.inc(pending.verdicts.length);
    metrics.count(applied);
    signals.announce(applied);
    signals.ring('exported');
    return true;
  }
}

/** R12: a verdict object never changes. Ours of before a crash is the same; another one is of another coordinator. */
async function putOnce(store: ObjectStore, key: string, body: string): Promise<void> {
  try {
    await store.put(key, body, { ifAbsent: store.capabilities.putIfAbsent });
  } catch (error) {
    if (!isCode(error, 'PRECONDITION_FAILED')) throw error;
    if ((await readText(store, key)) === body) return;
    throw new ClobiError(
      'STALE_EPOCH',
      `The verdict object ${key} exists with other content: another coordinator writes to this store in the same epoch. Stop one of them.`,
    );
  }
}
