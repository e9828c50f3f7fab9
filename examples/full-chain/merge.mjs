/**
 * The end: one histogram of the mass, from every ntuple below a directory; a line for each GeV from 60 to 120.
 *
 *   node merge.mjs DIRECTORY OUTPUT
 */
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { NTUPLE, readTable } from './table.mjs';

const FROM = 60;
const TO = 120;

const [directory, output] = process.argv.slice(2);
const paths = readdirSync(directory, { recursive: true }).filter((path) => path.endsWith('ntuple.csv'));
const masses = paths.flatMap((path) => readTable(join(directory, path), NTUPLE).map((row) => row[4]));

const bins = Array.from({ length: TO - FROM }, () => 0);
const inside = masses.filter((mass) => mass >= FROM && mass < TO);
for (const mass of inside) bins[Math.floor(mass) - FROM] += 1;
writeFileSync(output, ['from,to,pairs\n', ...bins.map(formatBin)].join(''));

const peak = bins.indexOf(Math.max(...bins)) + FROM;
process.stdout.write(`${paths.length} ntuples, ${masses.length} pairs, ${inside.length} in the histogram\n`);
process.stdout.write(`the peak is at ${peak} to ${peak + 1} GeV\n`);

function formatBin(pairs, n) {
  return `${FROM + n},${FROM + n + 1},${pairs}\n`;
}
