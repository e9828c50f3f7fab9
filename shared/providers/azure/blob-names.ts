import { ClobiError } from '../../errors.ts';

/**
 * Keys as names of blobs, and back. A name is its key wherever Azure can hold that; what it would drop or refuse is escaped:
 * `%XX` (bytes in UTF-8) stands for control characters, backslashes, and the last dot of a segment that ends in one; `%-`
 * for an empty segment; `%25` for a `%` that would read as an escape. A name that is no encoding of a key is nobody's.
 */
const MAX_NAME = 1_024;
const MAX_SEGMENTS = 254;

/** Rejects with `LIMIT_EXCEEDED` a key that is empty, too long, or no Unicode. */
export function nameOfKey(key: string): string {
  const segments = key.split('/');
  const name = segments.map(encodeSegment).join('/');
  if (key !== '' && key.isWellFormed() && name.length <= MAX_NAME && segments.length <= MAX_SEGMENTS)
    return name;
  throw new ClobiError(
    'LIMIT_EXCEEDED',
    `The object key ${JSON.stringify(key.slice(0, 100))} is empty, longer than ${MAX_NAME} letters or ${MAX_SEGMENTS} segments, or not Unicode.`,
    { context: { key } },
  );
}

/** What the names of all keys with this prefix begin with; others may too. */
export function namePrefixOf(prefix: string): string {
  const segments = prefix.split('/');
  const last = segments.pop() ?? '';
  // Where the segment goes on, its last dot is an ordinary one, and a percent sign begins what only its rest decides.
  const start = escape(last.replace(/\.$|%.?$/, ''));
  return [...segments.map(encodeSegment), start].join('/');
}

/** Undefined for the name of a blob that no key of ours has. */
export function keyOfName(name: string): string | undefined {
  const key = name.split('/').map(decodeSegment).join('/');
  return key.split('/').map(encodeSegment).join('/') === name ? key : undefined;
}

function encodeSegment(segment: string): string {
  if (segment === '') return '%-';
  if (segment === '%-') return '%25-';
  return escape(segment).replace(/\.$/, '%2E');
}

const UNFIT = /[\p{Cc}\\\u{FFFE}\u{FFFF}]|%(?=[0-9A-F]{2})/gu;

const escape = (text: string): string => text.replaceAll(UNFIT, encodeURIComponent);

function decodeSegment(segment: string): string {
  if (segment === '%-') return '';
  return segment.replaceAll(/(?:%[0-9A-F]{2})+/g, (escapes) => {
    const bytes = Buffer.from(escapes.replaceAll('%', ''), 'hex');
    return bytes.toString();
  });
}
