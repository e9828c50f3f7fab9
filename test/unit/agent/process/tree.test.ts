import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { markedTree, markerOf } from '../../../../agent/process/tree.ts';
import { waitFor } from '../../../helpers/wait.ts';

const childrenOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim().split(' ').filter(Boolean).map(Number);

test('what the helper has forked is found once it has become its task, also when it was seen before', async () => {
  const directory = `/slot-${randomUUID()}`;
  const helper = spawn('sh', ['-c', `(read go; exec env ${markerOf(directory)}work sleep 60); :`]);
  const { pid = 0 } = helper;
  try {
    const tree = markedTree(markerOf(directory), pid);
    const isForked = () => tree.members().length === 0 && childrenOf(pid).length > 0;
    await waitFor('it has forked', isForked);
    assert.deepEqual(tree.members(), [], 'it is no task yet');
    helper.stdin.write('\n');
    const [found] = await waitFor('it is a task', () => tree.members().length > 0 && tree.members());
    assert.deepEqual(childrenOf(pid), [found]);
  } finally {
    for (const child of [...childrenOf(pid), pid]) process.kill(child, 'SIGKILL');
  }
});
