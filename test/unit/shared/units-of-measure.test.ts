import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isCode, messageOf } from '../../../shared/errors.ts';
import { formatBytes, formatDuration, parseBytes, parseDuration } from '../../../shared/units-of-measure.ts';

const complaint = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    assert.ok(isCode(error, 'USAGE'));
    return messageOf(error);
  }
  return assert.fail('nothing was thrown');
};

test('sizes are read in 1024s and in 1000s', () => {
  const cases: [string, number][] = [
    ['0', 0],
    ['1024', 1024],
    ['512B', 512],
    ['1KiB', 1024],
    ['1kB', 1000],
    ['1KB', 1000],
    ['500MB', 500_000_000],
    ['8GiB', 8 * 2 ** 30],
    ['1.5 TiB', 1.5 * 2 ** 40],
    ['  2GB ', 2_000_000_000],
    ['1PB', 1e15],
    ['1PiB', 2 ** 50],
  ];
  for (const [text, bytes] of cases) assert.equal(parseBytes(text), bytes, text);
});

test('a wrong size says what is right', () => {
  const cases: [string, RegExp][] = [
    ['8G', /8GiB \(in 1024s\) or 8GB/],
    ['8Gi', /8GiB/],
    ['8gib', /Write 8GiB\./],
    ['5kb', /5kB or 5KB/],
    ['8 potatoes', /no unit "potatoes"/],
    ['-1GiB', /number and a unit/],
    ['', /number and a unit/],
    ['1e3', /no unit "e"|number and a unit/],
    ['99999PiB', /more than 8 PiB/],
  ];
  for (const [text, expected] of cases)
    assert.match(
      complaint(() => parseBytes(text)),
      expected,
      text,
    );
});

test('durations are read', () => {
  const cases: [string, number][] = [
    ['0s', 0],
    ['500ms', 500],
    ['90s', 90_000],
    ['10m', 600_000],
    ['2h30m', 9_000_000],
    ['1d', 86_400_000],
    ['1.5h', 5_400_000],
    ['1d2h3m4s5ms', 93_784_005],
  ];
  for (const [text, ms] of cases) assert.equal(parseDuration(text), ms, text);
});

test('a wrong duration says what is right', () => {
  const cases: [string, RegExp][] = [
    ['30', /write 30s for seconds or 30m/],
    ['10 minutes', /Write 10m\./],
    ['2 hours, 5 mins', /Write 2h5m\./],
    ['30m2h', /biggest unit first/],
    ['1h1h', /biggest unit first/],
    ['', /biggest unit first/],
    ['-5s', /biggest unit first/],
    ['9'.repeat(40) + 'd', /longer than can be counted/],
  ];
  for (const [text, expected] of cases)
    assert.match(
      complaint(() => parseDuration(text)),
      expected,
      text,
    );
});

test('what is formatted is short, and a duration is read back as it was', () => {
  const sizes: [number, string][] = [
    [0, '0B'],
    [1000, '1000B'],
    [1024, '1KiB'],
    [1536, '1.5KiB'],
    [8 * 2 ** 30, '8GiB'],
    [2 ** 20 - 1, '1MiB'],
    [2 ** 60, '1024PiB'],
  ];
  for (const [bytes, text] of sizes) assert.equal(formatBytes(bytes), text);
  assert.equal(formatDuration(0), '0s');
  assert.equal(formatDuration(93_784_005), '1d2h3m4s5ms');
  assert.equal(formatDuration(93_784_005, 2), '1d2h');
  assert.equal(formatDuration(86_460_000, 2), '1d');
  fc.assert(fc.property(fc.nat({ max: 2 ** 45 }), (ms) => parseDuration(formatDuration(ms)) === ms));
});

test('no text makes the parsers throw anything but USAGE', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      for (const parse of [parseBytes, parseDuration]) {
        try {
          assert.ok(Number.isSafeInteger(parse(text)));
        } catch (error) {
          assert.ok(isCode(error, 'USAGE'), String(error));
        }
      }
    }),
  );
});
