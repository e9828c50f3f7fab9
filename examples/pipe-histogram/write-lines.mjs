/**
 * The writing end: COUNT lines of LENGTH bytes each (line feed included), one write() a line, to stdout.
 *
 *   node write-lines.mjs LENGTH COUNT
 */
import { writeSync } from 'node:fs';

const [length, count] = process.argv.slice(2).map(Number);
const line = Buffer.alloc(length, 'x');
line[length - 1] = 0x0a;

for (let n = 0; n < count; n += 1) writeWhole(line);

// A pipe may take a part of a write that is larger than the room in it.
function writeWhole(bytes) {
  for (let sent = 0; sent < bytes.length; ) sent += writeSync(1, bytes, sent);
}
