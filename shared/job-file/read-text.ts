import { isUtf8 } from 'node:buffer';
import { LIMITS } from './limits.ts';
import type { Problem } from './problems.ts';

/** Bytes of a file as text, or the reason why they are none. A byte order mark is dropped. */
export function decodeText(bytes: Buffer, file: string): { text: string; problems: Problem[] } {
  if (bytes.length > LIMITS.textBytes) return { text: '', problems: [tooLong(bytes.length, file)] };
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)) {
    return {
      text: '',
      problems: [{ file, line: 1, column: 1, message: 'the file is UTF-16; save it as UTF-8' }],
    };
  }
  if (isUtf8(bytes)) return { text: bytes.toString('utf8').replace(/^\uFEFF/, ''), problems: [] };
  const { line, column } = findBadByte(bytes);
  return {
    text: '',
    problems: [{ file, line, column, message: 'the file is not UTF-8 text from here on; save it as UTF-8' }],
  };
}

/** What no job file holds, whatever its form. Empty when the text may be parsed. */
export function complainOfText(text: string, file: string): Problem[] {
  const length = Buffer.byteLength(text);
  if (length > LIMITS.textBytes) return [tooLong(length, file)];
  if (text.trim() === '')
    return [
      { file, line: 1, column: 1, message: 'the file is empty; a job begins with apiVersion: clobi/v1' },
    ];
  // Tab, line feed and carriage return are the only control characters of a text.
  const at = text.search(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/u);
  if (at === -1) return [];
  const before = text.slice(0, at);
  const code = text.charCodeAt(at).toString(16).padStart(2, '0');
  return [
    {
      file,
      line: before.split('\n').length,
      column: at - before.lastIndexOf('\n'),
      message: `the control character 0x${code} is here: is this a text file?`,
    },
  ];
}

/** The problem of a file that is too long to be read at all. */
export const tooLong = (length: number, file: string): Problem => ({
  file,
  line: 1,
  column: 1,
  limit: true,
  message: `the file has ${length} bytes, more than the ${LIMITS.textBytes} that a job file may have; put long lists into a file of their own and name it in array.fromFile`,
});

/** No UTF-8 sequence spans a line feed, so each line can be judged alone. */
function findBadByte(bytes: Buffer): { line: number; column: number } {
  let line = 1;
  let start = 0;
  for (
    let end = bytes.indexOf(10, start);
    end !== -1 && isUtf8(bytes.subarray(start, end));
    end = bytes.indexOf(10, start)
  ) {
    line += 1;
    start = end + 1;
  }
  const end = bytes.indexOf(10, start);
  const text = bytes.subarray(start, end === -1 ? bytes.length : end).toString('utf8');
  return { line, column: text.indexOf('\uFFFD') + 1 };
}
