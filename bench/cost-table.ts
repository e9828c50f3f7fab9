import { costOf, priceOf } from '../coordinator/prices.ts';
import type { Asked } from './wire.ts';

export interface CostColumn {
  title: string;
  tasks: number;
  /** By operation, whoever sent them. */
  asked: Asked;
}

/** As `docs/providers.md` holds it: what was counted of each operation, and by its price what a million such tasks cost. */
export function costTable(cloud: string, columns: readonly CostColumn[]): string {
  const head = columns.flatMap(({ title, tasks }) => [
    `${formatCount(tasks)} ${title}`,
    'USD a million tasks',
  ]);
  const total = (asked: Asked, operation: string): number => asked[operation] ?? 0;
  const operations = [...new Set(columns.flatMap(({ asked }) => Object.keys(asked)))].sort(
    (a, b) =>
      Math.max(...columns.map(({ asked }) => total(asked, b))) -
      Math.max(...columns.map(({ asked }) => total(asked, a))),
  );
  const rows = operations.map((operation) => [
    `\`${operation}\``,
    formatUsd(priceOf(operation) * 1_000_000),
    ...columns.flatMap(({ asked, tasks }) => [
      formatCount(total(asked, operation)),
      formatUsd((total(asked, operation) * priceOf(operation) * 1_000_000) / tasks),
    ]),
  ]);
  const all = columns.flatMap(({ asked, tasks }) => {
    const { count, usd } = costOf(asked);
    return [formatCount(count), formatUsd((usd * 1_000_000) / tasks)];
  });
  const lines = [
    [cloud, 'USD a million requests', ...head],
    Array.from({ length: 2 + head.length }, (_, at) => (at === 0 ? '---' : '---:')),
    ...rows,
    ['**all**', '', ...all],
  ];
  return lines.map((cells) => `| ${cells.join(' | ')} |\n`).join('');
}

const formatCount = (count: number): string => count.toLocaleString('en-US');
const formatUsd = (usd: number): string => usd.toFixed(3);
