import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import process from 'node:process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

/** A test that passes whatever the code does proves nothing: each planted bug must turn the story of its rule red. */
const CAUGHT_BY: Record<string, string> = {
  'old-failure-counted': 'H7: the late failure of a voided attempt',
  'no-outbox': 'H9: a unit not marked sent',
  'void-without-new-attempt': 'H7: the late failure of a voided attempt',
  'returned-forgotten': 'H1: a `returned` that comes while the claim still stands',
  'commit-after-terminal': 'commit and cancel: whichever comes first',
  'losses-not-counted': 'H10: patience costs a loss',
};
const STORIES = ['stories-claims', 'stories-facts'].map((name) =>
  fileURLToPath(new URL(`${name}.test.ts`, import.meta.url)),
);

function runStory(name: string, planted: string): { status: number | null; output: string } {
  const env: NodeJS.ProcessEnv = { ...process.env, CLOBI_PLANT: planted };
  delete env['NODE_TEST_CONTEXT'];
  const pattern = `^${name.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')}`;
  const { status, stdout } = spawnSync(
    process.execPath,
    ['--test', '--test-name-pattern', pattern, ...STORIES],
    { env, encoding: 'utf8' },
  );
  return { status, output: stdout };
}

for (const [bug, story] of Object.entries(CAUGHT_BY)) {
  test(`planted bug ${bug} is found by "${story}"`, () => {
    const sound = runStory(story, '');
    assert.equal(sound.status, 0, sound.output);
    assert.match(sound.output, /pass 1\b/);
    assert.equal(runStory(story, bug).status, 1);
  });
}
