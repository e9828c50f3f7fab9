/**
 * All histograms below a directory, added up into one.
 *
 *   node merge-histograms.mjs DIRECTORY OUTPUT
 *
 * OUTPUT is JSON: totals, and the reads by size in classes [from, to) whose bounds are powers of two.
 * Exit code 1 when a histogram's chunks do not add up to its bytes, or when there is none.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const [directory, output] = process.argv.slice(2);
const paths = readdirSync(directory, { recursive: true }).filter((path) => path.endsWith('.json'));
const histograms = paths.sort().map((path) => checkSums(path, readJson(join(directory, path))));
if (histograms.length === 0) stop(`no histogram below ${directory}`);

const merged = {
  tasks: histograms.length,
  writes: total((histogram) => histogram.writes),
  bytes: total((histogram) => histogram.bytes),
  reads: total((histogram) => histogram.reads),
  readsThatEndWithALine: total((histogram) => histogram.readsThatEndWithALine),
  classes: classify(histograms.flatMap((histogram) => histogram.chunks)),
};
writeFileSync(output, `${JSON.stringify(merged, null, 2)}\n`);
process.stdout.write(describe(merged));

function readJson(path) {
  return JSON.parse(readFileSync(path, 'utf8'));
}

function checkSums(path, histogram) {
  const reads = sum(histogram.chunks.map((chunk) => chunk.reads));
  const bytes = sum(histogram.chunks.map((chunk) => chunk.size * chunk.reads));
  if (reads !== histogram.reads || bytes !== histogram.bytes) {
    stop(
      `${path}: the chunks hold ${bytes} bytes in ${reads} reads, not ${histogram.bytes} in ${histogram.reads}`,
    );
  }
  return histogram;
}

function total(field) {
  return sum(histograms.map(field));
}

function sum(numbers) {
  return numbers.reduce((before, number) => before + number, 0);
}

function classify(chunks) {
  const classes = new Map();
  for (const { size, reads } of chunks) {
    const from = 2 ** Math.floor(Math.log2(size));
    const before = classes.get(from) ?? { from, to: 2 * from, reads: 0, bytes: 0 };
    classes.set(from, { ...before, reads: before.reads + reads, bytes: before.bytes + size * reads });
  }
  return [...classes.values()].sort((a, b) => a.from - b.from);
}

function describe({ tasks, writes, bytes, reads, classes }) {
  const rows = classes.map(({ from, to, reads }) => `${from} to ${to - 1} bytes: ${reads} reads\n`);
  return [`${tasks} tasks: ${bytes} bytes in ${writes} writes and ${reads} reads\n`, ...rows].join('');
}

function stop(message) {
  process.stderr.write(`merge-histograms: ${message}\n`);
  process.exit(1);
}
