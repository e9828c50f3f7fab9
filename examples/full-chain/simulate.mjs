/**
 * Step 2: what the detector gets of each electron: its direction from the tracker and the energy, in GeV,
 * that it leaves in the calorimeter, each with the fluctuations of the real thing.
 *
 *   node simulate.mjs SEED CHAIN INPUT OUTPUT
 */
import { makeRandom } from './random.mjs';
import { DEPOSITS, PARTICLES, readTable, writeTable } from './table.mjs';

const TRACK_RESOLUTION = 0.0005;
const STOCHASTIC_TERM = 0.1;
const CONSTANT_TERM = 0.007;

const [seed, chain] = process.argv.slice(2, 4).map(Number);
const [input, output] = process.argv.slice(4);
const random = makeRandom(seed, chain, 2);

const rows = readTable(input, PARTICLES).map(([event, lepton, ...momentum]) => {
  const energy = length(momentum);
  return [event, lepton, ...measureDirection(momentum, energy), Math.max(0, measureEnergy(energy))];
});
writeTable(output, DEPOSITS, rows);
process.stdout.write(`${rows.length} particles in the detector\n`);

function measureDirection(momentum, energy) {
  const seen = momentum.map((p) => p / energy + TRACK_RESOLUTION * random.gauss());
  return seen.map((u) => u / length(seen));
}

/** σ/E = 10 %/√E ⊕ 0.7 %. */
function measureEnergy(energy) {
  const spread = Math.sqrt(square(STOCHASTIC_TERM) * energy + square(CONSTANT_TERM * energy));
  return energy + spread * random.gauss();
}

function length([x, y, z]) {
  return Math.sqrt(x * x + y * y + z * z);
}

function square(value) {
  return value * value;
}
