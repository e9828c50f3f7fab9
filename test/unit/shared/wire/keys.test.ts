import assert from 'node:assert/strict';
import { it } from 'node:test';
import { attemptId, newBootId, newJobId, newRunId, type AgentId } from '../../../../shared/ids.ts';
import { logKey, resultPrefix, segmentKey, segmentPrefix, verdictKey } from '../../../../shared/wire/keys.ts';

const agent = 'laptop-1' as AgentId;

it('keeps numbers in byte order', () => {
  const boot = newBootId();
  const numbers = [0, 1, 9, 10, 99, 100, 1_000_000];
  for (const keys of [
    numbers.map((n) => segmentKey('pool', agent, boot, n)),
    numbers.map((n) => verdictKey(1, n)),
    numbers.map((n) => verdictKey(n, 1)),
  ]) {
    assert.deepEqual([...keys].sort(), keys);
  }
});

it('puts every object of a run and of a boot below its prefix', () => {
  const at = { job: newJobId(), index: 7, run: newRunId(attemptId(1, 1)) };
  assert.ok(resultPrefix(at.job, at.index, at.run).endsWith(`/7/${at.run}/`));
  assert.equal(logKey(at, 'stderr', 3), `logs/${at.job}/7/${at.run}/stderr.0000000003`);
  const boot = newBootId();
  assert.ok(segmentKey('pool', agent, boot, 1).startsWith(segmentPrefix('pool', agent, boot)));
});
