/**
 * Step 4: energy (GeV) and time (ns) of each pulse, by a least-squares fit of the known shape. Pulses at the
 * converter's end of scale and those of less than 5 GeV are dropped.
 *
 *   node reconstruct.mjs INPUT OUTPUT
 */
import { GEV_PER_COUNT, LARGEST_COUNT, NANOSECONDS_PER_RISE, shape, slope, timeOfSample } from './pulse.mjs';
import { CLUSTERS, PULSES, SAMPLES, readTable, writeTable } from './table.mjs';

const LOWEST_ENERGY = 5;
const SAMPLES_WITHOUT_PULSE = [0, 1, SAMPLES - 1];

const [input, output] = process.argv.slice(2);
const times = Array.from({ length: SAMPLES }, (_, n) => timeOfSample(n));
const shapes = times.map(shape);
const slopes = times.map(slope);

const pulses = readTable(input, PULSES);
const rows = pulses.flatMap(([event, lepton, ux, uy, uz, ...counts]) => {
  if (counts.includes(LARGEST_COUNT)) return [];
  const { energy, time } = fit(counts);
  return energy < LOWEST_ENERGY ? [] : [[event, lepton, ux, uy, uz, energy, time]];
});
writeTable(output, CLUSTERS, rows);
process.stdout.write(`${rows.length} clusters of ${pulses.length} pulses\n`);

/** A pulse that comes late by d is A·shape(x − d) ≈ A·shape − A·d·slope: linear in A and A·d. */
function fit(counts) {
  const pedestal =
    SAMPLES_WITHOUT_PULSE.reduce((sum, n) => sum + counts[n], 0) / SAMPLES_WITHOUT_PULSE.length;
  const heights = counts.map((count) => count - pedestal);
  const [aa, ab, bb] = [dot(shapes, shapes), dot(shapes, slopes), dot(slopes, slopes)];
  const [ya, yb] = [dot(heights, shapes), dot(heights, slopes)];
  const determinant = aa * bb - ab * ab;
  const amplitude = (ya * bb - yb * ab) / determinant;
  const lateness = -(yb * aa - ya * ab) / determinant / amplitude;
  return { energy: amplitude * GEV_PER_COUNT, time: lateness * NANOSECONDS_PER_RISE };
}

function dot(a, b) {
  return a.reduce((sum, value, n) => sum + value * b[n], 0);
}
