/**
 * The reading end: reads stdin to its end and prints a JSON histogram of what each read() brought.
 *
 *   node read-chunks.mjs LENGTH COUNT < pipe
 *
 * Exit code 1 when the bytes that came are not the LENGTH × COUNT that were written: a shell forgets the
 * exit code of the writer.
 */
import { readSync } from 'node:fs';

const [length, count] = process.argv.slice(2).map(Number);
const buffer = Buffer.alloc(64 * 1024);
const chunks = new Map();
let bytes = 0;
let readsThatEndWithALine = 0;

for (;;) {
  const size = readSync(0, buffer);
  if (size === 0) break;
  bytes += size;
  chunks.set(size, (chunks.get(size) ?? 0) + 1);
  if (bytes % length === 0) readsThatEndWithALine += 1;
}

const bySize = [...chunks].sort(([a], [b]) => a - b).map(([size, reads]) => ({ size, reads }));
const reads = bySize.reduce((sum, chunk) => sum + chunk.reads, 0);
const histogram = { length, writes: count, bytes, reads, readsThatEndWithALine, chunks: bySize };
process.stdout.write(`${JSON.stringify(histogram)}\n`);
if (bytes !== length * count) {
  process.stderr.write(`read-chunks: ${bytes} bytes came, ${length * count} were to be written\n`);
  process.exit(1);
}
