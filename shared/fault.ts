/**
 * Named points at which a test may stop this very process, to see what a crash there does. Set
 * `CLOBI_FAULT=<point>[:<n>]` to die with SIGKILL at the n-th passing (1 when not given). Production code
 * passes the same points; without the variable a passing costs one comparison.
 *
 * Points are `<part>.<step>`, one between each two steps that a crash may come between; `test/fault/crash-points.test.ts` goes through them.
 */
const [wanted, count] = (process.env['CLOBI_FAULT'] ?? '').split(':');
let left = Number(count ?? '1');

export function faultPoint(name: string): void {
  if (wanted === '' || name !== wanted) return;
  left -= 1;
  if (left <= 0) process.kill(process.pid, 'SIGKILL');
}

/**
 * True when the named planted bug is switched on (`CLOBI_PLANT=<bug>[,<bug>]`). The tests of the protocol plant each bug and
 * expect the checker to find it: a checker that passes everything proves nothing.
 */
const planted = new Set((process.env['CLOBI_PLANT'] ?? '').split(',').filter((name) => name !== ''));
export const isPlanted = (bug: string): boolean => planted.size > 0 && planted.has(bug);
