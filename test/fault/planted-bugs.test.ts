import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Violation } from '../checker/invariants.ts';
import { scenarios } from './scenarios.ts';

/**
 * The checker is worth something only if it finds bugs. Each scenario is run twice: as the program is, where the checker must
 * find nothing; and with one bug planted (`CLOBI_PLANT`), where it must find the violation named here. Patience is off
 * in all of them, because it heals broken rules late and hides them.
 */
const summary = (violations: readonly Violation[]): string =>
  violations.map(({ rule, task, text }) => `${rule} ${task}: ${text}`).join('\n');

for (const { story, bugs, play } of scenarios) {
  // Most of a story is waiting: several are told at the same time.
  describe(story, { concurrency: 3 }, () => {
    test('the checker finds nothing in the program as it is', async () => {
      assert.equal(summary(await play('')), '');
    });
    for (const { bug, finds } of bugs) {
      test(`the checker finds the planted bug ${bug}`, async () => {
        const violations = await play(bug);
        assert.ok(
          violations.some(({ rule }) => finds.includes(rule)),
          `expected ${finds.join(' or ')}, found: ${summary(violations) || 'nothing'}`,
        );
      });
    }
  });
}
