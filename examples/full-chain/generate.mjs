/**
 * Step 1: Z bosons that decay into an electron and a positron. Momenta in GeV.
 *
 *   node generate.mjs SEED CHAIN EVENTS OUTPUT
 */
import { makeRandom } from './random.mjs';
import { PARTICLES, writeTable } from './table.mjs';

const Z_MASS = 91.1876;
const Z_WIDTH = 2.4952;
const LOWEST_MASS = 60;
const HIGHEST_MASS = 120;

const [seed, chain, events] = process.argv.slice(2, 5).map(Number);
const output = process.argv[5];
const random = makeRandom(seed, chain, 1);

const rows = [];
for (let event = 0; event < events; event += 1) {
  const mass = drawMass();
  const boson = [8 * random.gauss(), 8 * random.gauss(), 40 * random.gauss()];
  const axis = random.direction();
  rows.push([event, 1, ...boostToLab(mass, boson, axis)]);
  rows.push([
    event,
    2,
    ...boostToLab(
      mass,
      boson,
      axis.map((u) => -u),
    ),
  ]);
}
writeTable(output, PARTICLES, rows);
process.stdout.write(`${events} decays\n`);

/** Breit and Wigner's peak, cut off far from its middle. */
function drawMass() {
  for (;;) {
    const mass = Z_MASS + (Z_WIDTH / 2) * random.cauchy();
    if (mass > LOWEST_MASS && mass < HIGHEST_MASS) return mass;
  }
}

/** A massless particle that leaves a boson of this momentum along `axis`, as seen in the boson's own frame. */
function boostToLab(mass, boson, axis) {
  const energy = Math.sqrt(mass * mass + dot(boson, boson));
  const along = (mass / 2) * dot(boson, axis);
  const factor = (along / (energy + mass) + mass / 2) / mass;
  return axis.map((u, n) => (mass / 2) * u + factor * boson[n]);
}

function dot(a, b) {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}
