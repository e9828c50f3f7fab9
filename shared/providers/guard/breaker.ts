import {
  BrokenCircuitError,
  circuitBreaker,
  CircuitState,
  handleWhen,
  type CircuitBreakerPolicy,
} from 'cockatiel';
import { ClobiError, type ErrorCode, isCode, messageOf } from '../../errors.ts';
import { type Trouble, troubleOf } from '../trouble.ts';
import type { OperationHealth } from './health.ts';

export interface BreakerOptions {
  /** Failures in a row after which it opens. */
  opensAfter: number;
  /** Pause before the first probe; each probe that fails doubles it. */
  firstPauseMs: number;
  longestPauseMs: number;
  /** Pause after trouble that only a person can end. */
  stopPauseMs: number;
  /** In [0, 1). */
  random: () => number;
}

/** A call was not made at all, because those before it failed: nothing was sent. */
export const isRefused = (error: unknown): boolean =>
  error instanceof ClobiError && error.context['refused'] === true;

const FAILURES: ReadonlySet<Trouble> = new Set(['auth', 'quota', 'throttled', 'unreachable']);
const forPerson = (trouble: Trouble | null): boolean => trouble === 'auth' || trouble === 'quota';

/** The circuit breaker of one operation. Its time is the machine's, as is that of the policy it is made of. */
export class OperationBreaker {
  readonly #name: string;
  readonly #options: BreakerOptions;
  readonly #policy: CircuitBreakerPolicy;
  readonly #onChange: () => void;
  #failures = 0;
  #pauseMs = 0;
  #openedAt = 0;
  #last: { trouble: Trouble; message: string; code: ErrorCode } | undefined;
  #shown: OperationHealth['state'] = 'ok';
  #since = Date.now();
  #onTrial = false;

  /** `name` is for messages; `onChange` is called after every change of `health.state` or `onTrial`. */
  constructor(name: string, options: BreakerOptions, onChange: () => void) {
    this.#name = name;
    this.#options = options;
    this.#onChange = onChange;
    const pause = {
      duration: 0,
      next: ({ attempt }: { attempt: number }) => {
        this.#pauseMs = this.#nextPause(attempt);
        this.#openedAt = Date.now();
        return pause;
      },
    };
    Object.defineProperty(pause, 'duration', { get: () => this.#pauseMs });
    this.#policy = circuitBreaker(
      handleWhen((error) => FAILURES.has(troubleOf(error))),
      {
        halfOpenAfter: pause,
        breaker: {
          state: null,
          success: () => {
            this.#failures = 0;
          },
          failure: () => {
            this.#failures += 1;
            return forPerson(this.#last?.trouble ?? null) || this.#failures >= options.opensAfter;
          },
        },
      },
    );
  }

  /**
   * Makes the call, or rejects at once with the code of the last failure and `isRefused`. Answers (not found, precondition,
   * lease lost, …) count as successes; what is no error of a provider at all passes through uncounted.
   */
  async call<T>(work: () => Promise<T>): Promise<T> {
    try {
      const result = await this.#policy.execute(() => this.#attempt(work));
      if ('answer' in result) throw result.answer;
      return result.value;
    } catch (error) {
      throw error instanceof BrokenCircuitError ? this.refusal() : error;
    } finally {
      this.#lookForChange();
    }
  }

  get health(): OperationHealth {
    const state = this.#stateNow();
    const refused = this.#policy.state === CircuitState.Open;
    return {
      state,
      since: this.#since,
      trouble: state === 'ok' ? null : (this.#last?.trouble ?? null),
      message: state === 'ok' ? null : (this.#last?.message ?? null),
      nextTryAt: refused ? this.#openedAt + this.#pauseMs : null,
    };
  }

  /** It would be refused now. */
  get refuses(): boolean {
    return this.#policy.state === CircuitState.Open && !this.isDue;
  }

  /** The next call is a probe. */
  get isDue(): boolean {
    return this.#policy.state === CircuitState.Open && Date.now() - this.#openedAt >= this.#pauseMs;
  }

  /** It is due, and has been allowed to probe with real work. */
  get onTrial(): boolean {
    return this.#onTrial;
  }

  letTry(): void {
    if (!this.isDue || this.#onTrial) return;
    this.#onTrial = true;
    this.#onChange();
  }

  /** Makes it due. */
  retryNow(): void {
    this.#pauseMs = 0;
  }

  refusal(): ClobiError {
    const nextTryAt = this.#openedAt + this.#pauseMs;
    const { code, message } = this.#last ?? { code: 'UNAVAILABLE' as const, message: 'it failed' };
    return new ClobiError(
      code,
      `${this.#name} is not tried before ${new Date(nextTryAt).toISOString()}: ${message}`,
      { context: { refused: true, nextTryAt } },
    );
  }

  async #attempt<T>(work: () => Promise<T>): Promise<{ value: T } | { answer: unknown }> {
    try {
      return { value: await work() };
    } catch (error) {
      const trouble = troubleOf(error);
      if (FAILURES.has(trouble)) {
        const code = error instanceof ClobiError ? error.code : 'UNAVAILABLE';
        this.#last = { trouble, message: messageOf(error), code };
        throw error;
      }
      if (!(error instanceof ClobiError) || isCode(error, 'INTERNAL')) throw error;
      return { answer: error };
    }
  }

  /** `attempt`: 1 when it opens, one more after each probe that failed. */
  #nextPause(attempt: number): number {
    const { firstPauseMs, longestPauseMs, stopPauseMs, random } = this.#options;
    if (forPerson(this.#last?.trouble ?? null)) return stopPauseMs;
    const grown = Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(30, attempt - 1));
    // Many processes notice an outage at once; they should not all probe at once.
    return Math.round(grown * (0.75 + random() / 4));
  }

  #stateNow(): OperationHealth['state'] {
    if (this.#policy.state === CircuitState.Closed) return this.#failures > 0 ? 'failing' : 'ok';
    return forPerson(this.#last?.trouble ?? null) ? 'stopped' : 'open';
  }

  #lookForChange(): void {
    const state = this.#stateNow();
    const trialOver = this.#onTrial && !this.isDue && this.#policy.state !== CircuitState.HalfOpen;
    if (state === this.#shown && !trialOver) return;
    if (trialOver) this.#onTrial = false;
    if (state !== this.#shown) this.#since = Date.now();
    this.#shown = state;
    this.#onChange();
  }
}
