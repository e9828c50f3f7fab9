/** Tables of numbers as CSV with a head line: what one step of the chain hands to the next. */
import { readFileSync, writeFileSync } from 'node:fs';

/** Each line as an array of numbers, in the order of `columns`, which must be the table's own. */
export function readTable(path, columns) {
  const [head, ...lines] = readFileSync(path, 'utf8').trimEnd().split('\n');
  if (head !== columns.join(','))
    throw new Error(`${path}: the columns are ${head}, not ${columns.join(',')}`);
  return lines.map((line) => line.split(',').map(Number));
}

/** Numbers that are not whole are kept to six decimals. */
export function writeTable(path, columns, rows) {
  const lines = [columns, ...rows.map((row) => row.map(formatNumber))];
  writeFileSync(path, lines.map((line) => `${line.join(',')}\n`).join(''));
}

function formatNumber(value) {
  return Number.isInteger(value) ? String(value) : value.toFixed(6);
}

export const PARTICLES = ['event', 'lepton', 'px', 'py', 'pz'];
export const DEPOSITS = ['event', 'lepton', 'ux', 'uy', 'uz', 'deposit'];
export const SAMPLES = 12;
export const PULSES = [
  'event',
  'lepton',
  'ux',
  'uy',
  'uz',
  ...Array.from({ length: SAMPLES }, (_, n) => `s${n}`),
];
export const CLUSTERS = ['event', 'lepton', 'ux', 'uy', 'uz', 'energy', 'time'];
export const NTUPLE = ['event', 'energy1', 'energy2', 'cosOpening', 'mass'];
