/**
 * Step 3: each deposit as twelve samples of a 12-bit converter, every 25 ns, with noise and a start that is
 * up to 5 ns early or late.
 *
 *   node digitise.mjs SEED CHAIN INPUT OUTPUT
 */
import { GEV_PER_COUNT, LARGEST_COUNT, NOISE, PEDESTAL, shape, timeOfSample } from './pulse.mjs';
import { makeRandom } from './random.mjs';
import { DEPOSITS, PULSES, SAMPLES, readTable, writeTable } from './table.mjs';

const LARGEST_DELAY = 0.1;

const [seed, chain] = process.argv.slice(2, 4).map(Number);
const [input, output] = process.argv.slice(4);
const random = makeRandom(seed, chain, 3);

const rows = readTable(input, DEPOSITS).map(([event, lepton, ux, uy, uz, deposit]) => {
  return [event, lepton, ux, uy, uz, ...sample(deposit)];
});
writeTable(output, PULSES, rows);
process.stdout.write(`${rows.length} pulses of ${SAMPLES} samples\n`);

function sample(deposit) {
  const delay = LARGEST_DELAY * (2 * random.uniform() - 1);
  return Array.from({ length: SAMPLES }, (_, n) => {
    const height = (deposit / GEV_PER_COUNT) * shape(timeOfSample(n) - delay);
    return convert(PEDESTAL + height + NOISE * random.gauss());
  });
}

function convert(counts) {
  return Math.min(LARGEST_COUNT, Math.max(0, Math.round(counts)));
}
