/** Inclusive positions that one byte range of a request means (RFC 9110). Undefined: whole, also for forms we do not serve. */
export function parseRange(
  header: string | undefined,
  sizeBytes: number,
): { from: number; to: number } | 'unsatisfiable' | undefined {
  const [, first, last] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '') ?? [];
  if (first === undefined || last === undefined || (first === '' && last === '')) return undefined;
  const from = first === '' ? Math.max(0, sizeBytes - Number(last)) : Number(first);
  const to = first === '' || last === '' ? sizeBytes - 1 : Math.min(Number(last), sizeBytes - 1);
  if (first !== '' && last !== '' && Number(last) < from) return undefined;
  return from > to ? 'unsatisfiable' : { from, to };
}
