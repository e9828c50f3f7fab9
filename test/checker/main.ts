/**
 * `node test/checker/main.ts STORE_URL HISTORY_FILE [--no-losses] [--copies]`: prints every violation and exits 1 when
 * there is one. Reads only the store and the client's own history, nothing of the coordinator.
 */
import process from 'node:process';
import { openStore } from '../../shared/providers/open.ts';
import { readHistory } from './history.ts';
import { check } from './invariants.ts';

const [storeUrl, historyFile, ...flags] = process.argv.slice(2);
if (storeUrl === undefined || historyFile === undefined) {
  process.stderr.write('usage: node test/checker/main.ts STORE_URL HISTORY_FILE [--no-losses] [--copies]\n');
  process.exit(2);
}
const violations = await check(await openStore(storeUrl), readHistory(historyFile), {
  expectNoLosses: flags.includes('--no-losses'),
  copiesAllowed: flags.includes('--copies'),
});
for (const { rule, task, text } of violations) process.stdout.write(`${rule} ${task}: ${text}\n`);
process.exitCode = violations.length > 0 ? 1 : 0;
