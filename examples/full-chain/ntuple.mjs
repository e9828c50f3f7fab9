/**
 * Step 5: events of which both electrons were found, with the mass of the pair (GeV).
 *
 *   node ntuple.mjs INPUT OUTPUT
 */
import { CLUSTERS, NTUPLE, readTable, writeTable } from './table.mjs';

const [input, output] = process.argv.slice(2);

const rows = [];
let first;
for (const [event, lepton, ux, uy, uz, energy] of readTable(input, CLUSTERS)) {
  const cluster = { event, direction: [ux, uy, uz], energy };
  if (lepton === 1) first = cluster;
  else if (first?.event === event) rows.push(describePair(first, cluster));
}
writeTable(output, NTUPLE, rows);
process.stdout.write(`${rows.length} pairs\n`);

/** Of two massless particles: m² = 2·E₁·E₂·(1 − cos θ). */
function describePair(a, b) {
  const cosOpening = a.direction.reduce((sum, u, n) => sum + u * b.direction[n], 0);
  const mass = Math.sqrt(Math.max(0, 2 * a.energy * b.energy * (1 - cosOpening)));
  return [a.event, a.energy, b.energy, cosOpening, mass];
}
