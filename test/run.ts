/**
 * `npm test`: runs every test file (or those whose path contains one of the arguments) and lists at the end which took
 * longest and what was skipped for want of a program. On CI nothing may be skipped, and a run without tests fails.
 */
import { globSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import process from 'node:process';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';

/** More than cores: most tests wait for processes most of the time. */
const FILES_AT_ONCE = 3;
const SLOWEST = 12;
/** Longer than any machine takes. What still runs then waits for something that does not come: it is ended, and named. */
const LONGEST_MS = 45 * 60_000;

const wanted = process.argv.slice(2);
const files = globSync('test/**/*.test.ts')
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
  .sort();

// Hundreds of processes load the same modules: each is compiled once.
process.env['NODE_COMPILE_CACHE'] ??= resolve('node_modules/.cache/node');

const skipped: string[] = [];
const seconds = new Map<string, number>();
let failed = 0;
let passed = 0;

const late = AbortSignal.timeout(LONGEST_MS);
const stream = run({ files, concurrency: FILES_AT_ONCE, forceExit: false, timeout: 900_000, signal: late });
stream.on('test:pass', (event) => {
  if (event.skip !== undefined)
    skipped.push(`${relative('.', event.file ?? '')}: ${event.name} (${String(event.skip)})`);
  else passed += 1;
});
stream.on('test:fail', () => (failed += 1));
stream.on('test:complete', ({ file, nesting, details }) => {
  if (file === undefined || nesting > 0) return;
  const name = relative('.', file);
  seconds.set(name, (seconds.get(name) ?? 0) + details.duration_ms / 1_000);
});
stream.compose(spec).pipe(process.stdout);

await new Promise((resolve) => stream.once('end', resolve));
process.on('exit', () => {
  const slowest = [...seconds].sort(([, a], [, b]) => b - a).slice(0, SLOWEST);
  for (const [file, took] of slowest) process.stdout.write(`${took.toFixed(0).padStart(5)} s  ${file}\n`);
  if (skipped.length > 0)
    process.stdout.write(`\nSkipped:\n${skipped.map((line) => `  ${line}\n`).join('')}`);
  const skippingForbidden = process.env['CI'] === 'true' && skipped.length > 0;
  process.exitCode = failed > 0 || passed === 0 || skippingForbidden ? 1 : 0;
});
