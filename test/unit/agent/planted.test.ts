import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const PROTOCOL = fileURLToPath(new URL('./protocol.test.ts', import.meta.url));

/** The test of the protocol that must find the bug, by a part of its name. */
const FOUND_BY: Record<string, string> = {
  'run-redelivered': 'hands back a redelivered message',
  'delete-duplicate-silently': 'hands back a redelivered message',
  'delete-before-returned': 'keeps the message while the hand-back cannot be sent',
  'event-before-segment': 'sends no event while the segment cannot be written',
  'delete-at-receipt': 'deletes a message only when',
  'drop-claim-while-uploading': 'goes on claiming the unit',
};

/** Runs the tests of that name with the bug planted. */
function runTests(name: string, bug: string): Promise<{ failed: boolean; output: string }> {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const args = ['--test', '--test-reporter=tap', '--test-name-pattern', name, PROTOCOL];
  return new Promise((resolve) => {
    const options = { env: { ...env, CLOBI_PLANT: bug, CLOBI_TEST_DEADLINE_MS: '3000' } };
    execFile(process.execPath, args, options, (error, stdout) =>
      resolve({ failed: error !== null, output: stdout }),
    );
  });
}

describe('planted bugs of the agent', { concurrency: 2 }, () => {
  for (const [bug, name] of Object.entries(FOUND_BY)) {
    it(`${bug} is found`, async () => {
      const { failed, output } = await runTests(name, bug);
      assert.ok(failed, output);
      assert.match(output, new RegExp(`not ok \\d+ - .*${name}`));
    });
  }

  it('nothing is found where nothing is planted', async () => {
    const names = [...new Set(Object.values(FOUND_BY))].join('|');
    const { failed, output } = await runTests(names, '');
    assert.ok(!failed, output);
  });
});
