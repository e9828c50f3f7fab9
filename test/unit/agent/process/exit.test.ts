import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isSignal, signalName, startProblem } from '../../../../agent/process/exit.ts';

describe('what the shell says of an end', () => {
  it('is a signal only when the shell names it last', () => {
    assert.equal(isSignal(137, 'Killed', 'Killed\n'), true);
    assert.equal(isSignal(137, 'Killed', 'some text\nKilled\n'), true);
    assert.equal(isSignal(139, 'Segmentation fault', 'Segmentation fault (core dumped)\n'), true);
    assert.equal(isSignal(137, 'Killed', 'I was not Killed\n'), false);
    assert.equal(isSignal(137, 'Killed', ''), false);
    assert.equal(isSignal(130, '', ''), false);
    assert.equal(isSignal(255, 'Killed', 'Killed\n'), false);
  });

  it('is believed by its number where the shell never names a signal', () =>
    assert.equal(isSignal(143, '', ''), true));

  it('is no start when the command itself says something alike', () => {
    assert.equal(startProblem(127, 'sh: 4: /x/y: not found\n', '/x/y'), 'not found');
    assert.equal(startProblem(126, 'sh: 4: exec: ./a b: Permission denied\n', './a b'), 'Permission denied');
    assert.equal(startProblem(127, '/x/y: 1: other: not found\n', '/x/y'), undefined);
    assert.equal(startProblem(127, 'before\nsh: 4: /x/y: not found\n', '/x/y'), undefined);
    assert.equal(startProblem(1, 'sh: 4: /x/y: not found\n', '/x/y'), undefined);
  });

  it('has the usual names of signals', () => {
    assert.deepEqual([signalName(6), signalName(9), signalName(40)], ['SIGABRT', 'SIGKILL', 'SIG40']);
  });
});
