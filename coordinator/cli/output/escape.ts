/**
 * What comes from jobs and machines may hold anything, also sequences that make a terminal lie. Control characters,
 * C1 codes and marks that turn the reading direction are shown as `\x1b` or `\u202e`.
 */
const IN_A_CELL = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;
const IN_A_LINE =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;
/** What JSON and YAML leave as it is, but a terminal does not. */
export const LEFT_BY_WRITERS = /[\u007f-\u009f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

const escapeOne = (character: string): string => {
  if (character === '\n') return '\\n';
  if (character === '\t') return '\\t';
  if (character === '\r') return '\\r';
  const code = character.charCodeAt(0);
  return code < 0x100
    ? `\\x${code.toString(16).padStart(2, '0')}`
    : `\\u${code.toString(16).padStart(4, '0')}`;
};

/** As JSON and double-quoted YAML read it. */
export const escapeCode = (character: string): string =>
  `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;

/** For one cell or one message: line breaks and tabs are escaped too. */
export const escapeCell = (text: string): string => text.replace(IN_A_CELL, escapeOne);

/** For text of several lines: line breaks and tabs stay. */
export const escapeLines = (text: string): string =>
  text.replaceAll('\r\n', '\n').replace(IN_A_LINE, escapeOne);

/** JSON that is harmless on a terminal and the same value when read. */
export const safeJson = (value: unknown, indent?: number): string =>
  JSON.stringify(value, undefined, indent).replace(LEFT_BY_WRITERS, escapeCode);
