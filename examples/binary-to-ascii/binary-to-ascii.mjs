/**
 * Bits in, text out.
 *
 *   node binary-to-ascii.mjs INPUT OUTPUT
 *
 * INPUT holds the digits 0 and 1, eight to a character, most significant first; white space between them
 * does not count. Nothing is written unless all of it can be decoded.
 * Exit codes: 64 wrong usage, 65 data that is no text: then the reason is on stderr.
 */
import { readFileSync, writeFileSync } from 'node:fs';

const [input, output] = process.argv.slice(2);
if (output === undefined) stop(64, 'usage: binary-to-ascii.mjs INPUT OUTPUT');

const bits = readFileSync(input, 'utf8').replaceAll(/\s/g, '');
checkBits(bits);
const text = decode(bits);
writeFileSync(output, text);
process.stdout.write(`${bits.length} bits, ${text.length} characters\n`);

function checkBits(bits) {
  const at = bits.search(/[^01]/);
  if (at >= 0) stop(65, `${input}: bit ${at + 1} is "${bits[at]}", neither 0 nor 1`);
  const rest = bits.length % 8;
  if (rest > 0) {
    stop(
      65,
      `${input}: ${bits.length} bits are no whole number of characters of 8 bits, ${rest} are left over`,
    );
  }
}

function decode(bits) {
  const codes = (bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2));
  const bad = codes.findIndex((code) => code > 127);
  if (bad >= 0) stop(65, `${input}: character ${bad + 1} is ${codes[bad]}, and ASCII ends at 127`);
  return String.fromCharCode(...codes);
}

function stop(code, message) {
  process.stderr.write(`binary-to-ascii: ${message}\n`);
  process.exit(code);
}
