import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import fc from 'fast-check';
import { ClobiError, type ErrorCode } from '../../../../shared/errors.ts';
import { isRefused, OperationBreaker } from '../../../../shared/providers/guard/breaker.ts';

const OPENS_AFTER = 3;
const FIRST_MS = 1_000;
const LONGEST_MS = 8_000;
const STOP_MS = 60_000;

type Step = { kind: 'call'; result: ErrorCode | 'OK' } | { kind: 'wait'; ms: number } | { kind: 'now' };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc
      .constantFrom<(ErrorCode | 'OK')[]>(
        'OK',
        'UNAVAILABLE',
        'UNAVAILABLE',
        'THROTTLED',
        'CLOUD_AUTH',
        'CLOUD_QUOTA',
        'NOT_FOUND',
      )
      .map((result): Step => ({ kind: 'call', result })),
    fc.integer({ min: 0, max: 20_000 }).map((ms): Step => ({ kind: 'wait', ms })),
    fc.constant<Step>({ kind: 'now' }),
  ),
  { maxLength: 60 },
);

/** What a breaker must do, told in the plainest way. */
class Model {
  row = 0;
  openUntil: number | undefined;
  probes = 0;

  /** Whether the call is made now. */
  admits(now: number): boolean {
    return this.openUntil === undefined || now >= this.openUntil;
  }

  after(result: ErrorCode | 'OK', now: number): void {
    if (result === 'OK' || result === 'NOT_FOUND') {
      this.row = 0;
      this.openUntil = undefined;
      this.probes = 0;
      return;
    }
    const person = result === 'CLOUD_AUTH' || result === 'CLOUD_QUOTA';
    const wasProbe = this.openUntil !== undefined;
    this.row += 1;
    if (!wasProbe && !person && this.row < OPENS_AFTER) return;
    const pauseMs = Math.min(LONGEST_MS, FIRST_MS * 2 ** this.probes);
    this.probes += 1;
    this.openUntil = now + (person ? STOP_MS : Math.round(pauseMs * 0.75));
  }
}

test('a breaker does as the model says, whatever happens when', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (script) => {
      mock.timers.enable({ apis: ['Date'], now: 1_000_000 });
      try {
        let changes = 0;
        const breaker = new OperationBreaker(
          'x',
          {
            opensAfter: OPENS_AFTER,
            firstPauseMs: FIRST_MS,
            longestPauseMs: LONGEST_MS,
            stopPauseMs: STOP_MS,
            random: () => 0,
          },
          () => (changes += 1),
        );
        const model = new Model();
        for (const step of script) await play(breaker, model, step);
        assert.ok(changes <= script.length);
      } finally {
        mock.timers.reset();
      }
    }),
    { numRuns: 300 },
  );
});

async function play(breaker: OperationBreaker, model: Model, step: Step): Promise<void> {
  if (step.kind === 'wait') {
    mock.timers.setTime(Date.now() + step.ms);
    return;
  }
  if (step.kind === 'now') {
    breaker.retryNow();
    if (model.openUntil !== undefined) model.openUntil = Math.min(model.openUntil, Date.now());
    return;
  }
  const admitted = model.admits(Date.now());
  assert.equal(breaker.refuses, !admitted);
  let made = false;
  const outcome = await breaker
    .call(async () => {
      made = true;
      if (step.result !== 'OK') throw new ClobiError(step.result, step.result);
    })
    .catch((error: unknown) => error);
  assert.equal(made, admitted, 'a call is made exactly when the model admits it');
  assert.equal(isRefused(outcome), !admitted);
  if (admitted) model.after(step.result, Date.now());
  const { state, nextTryAt } = breaker.health;
  assert.equal(nextTryAt, model.openUntil ?? null);
  assert.equal(state === 'open' || state === 'stopped', model.openUntil !== undefined);
  assert.equal(state === 'ok', model.openUntil === undefined && model.row === 0);
}
