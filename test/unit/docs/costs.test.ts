import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { costTable } from '../../../bench/cost-table.ts';

const rowsOf = (table: string): string[][] =>
  table
    .trim()
    .split('\n')
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );

/** The tables of "Costs per million tasks", as rows of cells. */
function tables(): string[][][] {
  const text = readFileSync(new URL('../../../docs/providers.md', import.meta.url), 'utf8');
  const section = text.slice(text.indexOf('## Costs per million tasks'));
  return [...section.matchAll(/(?:^\|.*\n)+/gm)].map(([table]) => rowsOf(table));
}

const count = (cell: string | undefined): number => Number(cell?.replaceAll(',', ''));

test('docs/providers.md: what tasks cost follows from the requests counted and the prices', () => {
  const found = tables();
  assert.equal(found.length, 2);
  for (const rows of found) {
    const [head = [], , ...rest] = rows;
    const counted = rest.slice(0, -1);
    const columns = [2, 4].map((at) => {
      const [, tasks, title = ''] = /^([\d,]+) (.*)$/.exec(head[at] ?? '') ?? [];
      const asked = counted.map((row) => [row[0]?.replaceAll('`', ''), count(row[at])] as const);
      return { title, tasks: count(tasks), asked: Object.fromEntries(asked) as Record<string, number> };
    });
    assert.deepEqual(rows, rowsOf(costTable(head[0] ?? '', columns)));
  }
});
