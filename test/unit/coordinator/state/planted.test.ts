import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import process from 'node:process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

/** A test that passes whatever the code does proves nothing: each planted bug must turn the story of its rule red. */
const CAUGHT_BY: Record<string, readonly ['claims' | 'facts', string]> = {
  'old-failure-counted': ['claims', 'H7: the late failure of a voided attempt'],
  'void-without-new-attempt': ['claims', 'H7: the late failure of a voided attempt'],
  'returned-forgotten': ['claims', 'H1: a `returned` that comes while the claim still stands'],
  'no-outbox': ['facts', 'H9: a unit not marked sent'],
  'commit-after-terminal': ['facts', 'commit and cancel: whichever comes first'],
  'losses-not-counted': ['facts', 'H10: patience costs a loss'],
};

function runStory(of: string, name: string, planted: string): { status: number | null; output: string } {
  const env: NodeJS.ProcessEnv = { ...process.env, CLOBI_PLANT: planted };
  delete env['NODE_TEST_CONTEXT'];
  const file = fileURLToPath(new URL(`stories-${of}.test.ts`, import.meta.url));
  const pattern = `^${name.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')}`;
  const { status, stdout } = spawnSync(process.execPath, ['--test', '--test-name-pattern', pattern, file], {
    env,
    encoding: 'utf8',
  });
  return { status, output: stdout };
}

for (const [bug, [of, story]] of Object.entries(CAUGHT_BY)) {
  test(`planted bug ${bug} is found by "${story}"`, () => {
    const sound = runStory(of, story, '');
    assert.equal(sound.status, 0, sound.output);
    assert.match(sound.output, /pass 1\b/);
    assert.equal(runStory(of, story, bug).status, 1);
  });
}
