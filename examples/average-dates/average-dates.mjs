/**
 * Means of successive groups of dates.
 *
 *   node average-dates.mjs GROUP INPUT OUTPUT
 *
 * INPUT holds one UTC date a line as `YYYYmmdd_HHMMSS`. OUTPUT gets one line for each GROUP lines, in the
 * same form: the mean, rounded down to a whole second. A last group that is shorter counts as it is.
 * Exit codes: 64 wrong usage, 65 a line that is no date.
 */
import { readFileSync, writeFileSync } from 'node:fs';

const [groupText = '', input, output] = process.argv.slice(2);
const group = Number(groupText);
if (!Number.isInteger(group) || group < 1 || output === undefined) {
  stop(64, 'usage: average-dates.mjs GROUP INPUT OUTPUT, with GROUP a whole number from 1');
}

const lines = readFileSync(input, 'utf8').split('\n');
const seconds = lines.flatMap((line, n) => (line.trim() === '' ? [] : [parseDate(line.trim(), n + 1)]));
const means = cutIntoGroups(seconds, group).map((dates) => formatDate(mean(dates)));
writeFileSync(output, means.map((date) => `${date}\n`).join(''));
process.stdout.write(`${seconds.length} dates in groups of ${group}: ${means.length} means\n`);

function parseDate(text, lineNumber) {
  const parts = /^(\d{4})(\d\d)(\d\d)_(\d\d)(\d\d)(\d\d)$/.exec(text)?.slice(1).map(Number);
  const [year, month, day, hour, minute, second] = parts ?? [];
  const at = parts === undefined ? NaN : Date.UTC(year, month - 1, day, hour, minute, second) / 1000;
  // Date.UTC carries over what overflows: 20230230 would quietly become 2 March.
  if (Number.isNaN(at) || formatDate(at) !== text) {
    stop(65, `${input}:${lineNumber}: "${text}" is not a date of the form YYYYmmdd_HHMMSS`);
  }
  return at;
}

function formatDate(at) {
  const iso = new Date(at * 1000).toISOString();
  return iso.slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '_');
}

function cutIntoGroups(values, size) {
  const count = Math.ceil(values.length / size);
  return Array.from({ length: count }, (_, n) => values.slice(n * size, (n + 1) * size));
}

function mean(values) {
  return Math.floor(values.reduce((sum, value) => sum + value, 0) / values.length);
}

function stop(code, message) {
  process.stderr.write(`average-dates: ${message}\n`);
  process.exit(code);
}
