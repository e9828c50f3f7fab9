import { mkdirSync, writeFileSync } from 'node:fs';
import process from 'node:process';

export interface Row {
  name: string;
  value: string;
  ratio?: string;
}

/** Prints a table and keeps it as `bench/results/<title>.json`. */
export function report(title: string, rows: readonly Row[]): void {
  const width = Math.max(...rows.map(({ name }) => name.length));
  process.stdout.write(`${title}\n`);
  for (const { name, value, ratio } of rows)
    process.stdout.write(`  ${name.padEnd(width)}  ${value.padStart(16)}  ${ratio ?? ''}\n`);
  mkdirSync('bench/results', { recursive: true });
  const file = `bench/results/${title.split(':')[0] ?? 'bench'}.json`;
  writeFileSync(file, `${JSON.stringify({ title, at: new Date().toISOString(), rows }, null, 2)}\n`);
}

export const percentile = (values: readonly number[], share: number): number =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? NaN;

export const median = (values: readonly number[]): number => percentile(values, 0.5);
