import picocolors from 'picocolors';

export type Colours = ReturnType<typeof picocolors.createColors>;

type Environment = Readonly<Record<string, string | undefined>>;

/** NO_COLOR and FORCE_COLOR decide (https://no-color.org); else the stream must be a terminal that can do it. */
export function wantsColour(
  stream: { isTTY?: boolean | undefined },
  env: Environment = process.env,
): boolean {
  if ((env['NO_COLOR'] ?? '') !== '') return false;
  const forced = env['FORCE_COLOR'];
  if (forced !== undefined) return forced !== '0' && forced !== 'false';
  return stream.isTTY === true && env['TERM'] !== 'dumb';
}

export const coloursFor = (stream: { isTTY?: boolean | undefined }): Colours =>
  picocolors.createColors(wantsColour(stream));
