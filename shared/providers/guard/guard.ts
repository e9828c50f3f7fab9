import type { Logger } from 'pino';
import PQueue from 'p-queue';
import { pause } from '../../clock.ts';
import { ClobiError } from '../../errors.ts';
import { passes, troubleOf } from '../trouble.ts';
import { type BreakerOptions, isRefused, OperationBreaker } from './breaker.ts';
import { RetryBudget } from './budget.ts';
import type { GuardHealth } from './health.ts';

/** Enough that an adapter can gather single calls into batches; the wire's own limit is the SDK's. */
const CALLS_AT_ONCE = 128;
const TRANSFERS_AT_ONCE = 8;
const MOST_RETRIES = 2;
const FIRST_RETRY_MS = 100;

const OPENS_AFTER = 5;
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 15_000;
const STOP_PAUSE_MS = 60_000;

export interface GuardOptions {
  /** What is guarded, for messages: `pool aws`. */
  name: string;
  log: Logger;
  /** Operations without which it is dark. */
  needed?: readonly string[];
  /** It is handed out before it is open: nothing is asked of it, and it is dark, until a call of `open` has succeeded. */
  opensLater?: boolean;
  /** For tests: the most retries of one call, and how breakers behave. */
  retries?: number;
  breaker?: Partial<BreakerOptions>;
}

export interface CallOptions {
  /** Which calls it waits behind; `none` for a receive, which waits for messages and not for work. */
  lane?: 'calls' | 'transfers' | 'none';
  /** Making the call twice does no harm. */
  again?: boolean;
}

/**
 * What stands between the services and one pool's provider: bounds how many calls run at once, pays for few retries from a
 * budget, and stops asking where asking brings nothing (a breaker an operation). `open` is an operation like the others
 * that comes before them all: while it does not work, nothing else is tried.
 */
export class Guard {
  readonly #options: GuardOptions;
  readonly #needed: ReadonlySet<string>;
  readonly #breakers = new Map<string, OperationBreaker>();
  readonly #listeners = new Set<() => void>();
  readonly #budget = new RetryBudget();
  readonly #lanes = {
    calls: new PQueue({ concurrency: CALLS_AT_ONCE }),
    transfers: new PQueue({ concurrency: TRANSFERS_AT_ONCE }),
  };
  #opened: boolean;
  #troubledSince: number | null = null;

  constructor(options: GuardOptions) {
    this.#options = options;
    this.#needed = new Set(options.needed);
    this.#opened = options.opensLater !== true;
    if (!this.#opened) this.#troubledSince = Date.now();
  }

  /** Rejects as the call does, or at once (`isRefused`) while the operation's breaker is open. */
  async call<T>(operation: string, work: () => Promise<T>, options: CallOptions = {}): Promise<T> {
    const breaker = this.#breaker(operation);
    const { lane = 'calls', again = false } = options;
    const inLane = lane === 'none' ? work : (): Promise<T> => this.#lanes[lane].add(work);
    for (let retries = 0; ; retries += 1) {
      this.#refuseUnopened(operation);
      try {
        const result = await breaker.call(inLane);
        this.#succeeded(operation);
        return result;
      } catch (error) {
        const mayAgain = again && retries < (this.#options.retries ?? MOST_RETRIES);
        const worth = mayAgain && passes(troubleOf(error)) && !isRefused(error);
        if (!worth || !this.#budget.take()) throw error;
        await pause(FIRST_RETRY_MS * 2 ** retries * (0.5 + Math.random() / 2));
      }
    }
  }

  get health(): GuardHealth {
    const operations = Object.fromEntries([...this.#breakers].map(([name, { health }]) => [name, health]));
    const bad = this.#bad();
    const dark = this.isDark;
    const [worst] = bad.toSorted(([, a], [, b]) => a.health.since - b.health.since);
    return {
      dark,
      trial: !dark && bad.length > 0,
      since: this.#troubledSince,
      why:
        worst === undefined ? this.#whyUnopened() : `${worst[0]}: ${worst[1].health.message ?? 'it fails'}`,
      operations,
    };
  }

  get isDark(): boolean {
    if (this.#troubledSince === null) return false;
    return !this.#opened || this.#bad().some(([, breaker]) => !breaker.onTrial);
  }

  /** Something needed does not work, or has not been seen to work again. */
  get isTroubled(): boolean {
    return this.#troubledSince !== null;
  }

  /** Why the operation would be refused now; undefined when it would be made. */
  refusal(operation: string): ClobiError | undefined {
    if (!this.#opened && operation !== 'open') return this.#unopened();
    const breaker = this.#breakers.get(operation);
    return breaker?.refuses === true ? breaker.refusal() : undefined;
  }

  /** Operations whose next call is a probe. */
  due(): string[] {
    return [...this.#breakers].filter(([, breaker]) => breaker.isDue).map(([name]) => name);
  }

  /** Lets the operation, which is due, be probed with real work. */
  letTry(operation: string): void {
    this.#breakers.get(operation)?.letTry();
  }

  /** Makes everything refused due: somebody says that the trouble is over. */
  retryNow(): void {
    for (const breaker of this.#breakers.values()) breaker.retryNow();
  }

  /** The listener is called after every change of health. Returns the function that ends it. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #breaker(operation: string): OperationBreaker {
    const known = this.#breakers.get(operation);
    if (known !== undefined) return known;
    const options = {
      opensAfter: operation === 'open' ? 1 : OPENS_AFTER,
      firstPauseMs: FIRST_PAUSE_MS,
      longestPauseMs: LONGEST_PAUSE_MS,
      stopPauseMs: STOP_PAUSE_MS,
      random: Math.random,
      ...this.#options.breaker,
    };
    const breaker = new OperationBreaker(`${this.#options.name}: ${operation}`, options, () =>
      this.#changed(operation),
    );
    this.#breakers.set(operation, breaker);
    return breaker;
  }

  #refuseUnopened(operation: string): void {
    if (!this.#opened && operation !== 'open') throw this.#unopened();
  }

  #unopened(): ClobiError {
    const why = this.#breakers.get('open')?.health.message ?? 'nobody has tried yet';
    return new ClobiError('UNAVAILABLE', `${this.#options.name} is not open: ${why}`, {
      context: { refused: true },
    });
  }

  #whyUnopened = (): string | null => (this.#opened ? null : 'it is being opened');

  #succeeded(operation: string): void {
    this.#budget.succeeded();
    if (this.#opened || operation !== 'open') return;
    this.#opened = true;
    this.#changed(operation);
  }

  /** The needed operations that do not work. */
  #bad(): [string, OperationBreaker][] {
    return [...this.#breakers].filter(
      ([name, { health }]) =>
        this.#needed.has(name) && (health.state === 'open' || health.state === 'stopped'),
    );
  }

  #changed(operation: string): void {
    const bad = !this.#opened || this.#bad().length > 0;
    this.#troubledSince = bad ? (this.#troubledSince ?? Date.now()) : null;
    this.#log(operation);
    for (const listener of this.#listeners) listener();
  }

  #log(operation: string): void {
    const { state, trouble, message, nextTryAt } = this.#breaker(operation).health;
    const fields = { guard: this.#options.name, operation, state, trouble, why: message, nextTryAt };
    if (state === 'open' || state === 'stopped') this.#options.log.warn(fields, 'provider does not answer');
    else this.#options.log.debug(fields, 'provider changed');
  }
}
