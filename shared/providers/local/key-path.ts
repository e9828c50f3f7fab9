import { ClobiError } from '../../errors.ts';

/**
 * Keys as paths, so that a person finds a result with `ls`: each segment of a key but the last is a directory whose name ends
 * in `%`, the last is a file of the same name as the segment. So key `a` (file `a`) and key `a/b` (file `a%/b`) never
 * clash. `%` begins every escape: `%25` is `%` itself, `%00` is NUL, `%2E` the dot of `.` and `..`, `%-` an empty segment.
 * A name that is no encoding of a segment (`%tmp`) is no part of any key.
 */
const MAX_KEY_BYTES = 1024;
const MAX_NAME_BYTES = 255;
const DIRECTORY_MARK = '%';

function encodeSegment(segment: string): string {
  if (segment === '') return '%-';
  if (segment === '.' || segment === '..') return segment.replaceAll('.', '%2E');
  return segment.replaceAll('%', '%25').replaceAll('\0', '%00');
}

/** Undefined when the name encodes no segment. */
export function decodeSegment(name: string): string | undefined {
  if (!name.includes('%')) return name;
  const segment =
    name === '%-' ? '' : name.replaceAll('%2E', '.').replaceAll('%00', '\0').replaceAll('%25', '%');
  return encodeSegment(segment) === name ? segment : undefined;
}

export const encodeDirectory = (segment: string): string => encodeSegment(segment) + DIRECTORY_MARK;

/** Undefined when the name is not that of a directory of keys. */
export const decodeDirectory = (name: string): string | undefined =>
  name.endsWith(DIRECTORY_MARK) ? decodeSegment(name.slice(0, -1)) : undefined;

/** The path of the key's file, relative to the store. Throws when the file system cannot hold such a key. */
export function pathOfKey(key: string): string {
  if (key === '' || !key.isWellFormed() || Buffer.byteLength(key) > MAX_KEY_BYTES) {
    throw new ClobiError(
      'LIMIT_EXCEEDED',
      `The object key ${JSON.stringify(key.slice(0, 100))} is empty, longer than ${MAX_KEY_BYTES} bytes or not Unicode.`,
      { context: { key } },
    );
  }
  const segments = key.split('/');
  const last = segments.pop() ?? '';
  const names = [...segments.map(encodeDirectory), encodeSegment(last)];
  const tooLong = names.find((name) => Buffer.byteLength(name) > MAX_NAME_BYTES);
  if (tooLong !== undefined) {
    throw new ClobiError(
      'LIMIT_EXCEEDED',
      `A part of the object key "${key.slice(0, 100)}…" is longer than ${MAX_NAME_BYTES} bytes, the limit of the file system. Shorten the name "${tooLong.slice(0, 40)}…".`,
      { context: { key } },
    );
  }
  return names.join('/');
}

/** Compares like the UTF-8 bytes of the text when compared with `<`. */
export function byteOrder(text: string): string {
  return isAscii(text) ? text : Buffer.from(text).toString('latin1');
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i += 1) if (text.charCodeAt(i) > 127) return false;
  return true;
}
