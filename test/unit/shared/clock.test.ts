import assert from 'node:assert/strict';
import { it, mock } from 'node:test';
import { pause } from '../../../shared/clock.ts';

it('pauses until the time is over', async () => {
  const start = performance.now();
  await pause(30);
  assert.ok(performance.now() - start >= 29);
});

it('ends a pause when aborted, also one aborted before', { timeout: 60_000 }, async () => {
  await pause(60_000, AbortSignal.abort());
  const abort = new AbortController();
  const paused = pause(60_000, abort.signal);
  abort.abort();
  await paused;
});

it('takes negative times as none', { timeout: 60_000 }, async () => {
  await pause(-5);
});

it('does not end at once when a timer cannot hold so long a time', async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    let over = false;
    const paused = pause(Infinity).then(() => (over = true));
    mock.timers.tick(2 ** 31 - 2);
    await Promise.resolve();
    assert.equal(over, false);
    mock.timers.tick(1);
    await paused;
  } finally {
    mock.timers.reset();
  }
});
