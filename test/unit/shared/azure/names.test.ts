import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isCode } from '../../../../shared/errors.ts';
import { keyOfName, nameOfKey, namePrefixOf } from '../../../../shared/providers/azure/blob-names.ts';

/** Keys rich in what names are made to escape. */
const hardKeys = fc
  .array(
    fc.oneof(
      fc.constantFrom(...'./%\\-2EF5C ~!'.split(''), '\0', '\n', '%2E', '%-'),
      fc.string({ unit: 'binary' }),
    ),
    {
      minLength: 1,
      maxLength: 12,
    },
  )
  .map((parts) => parts.join(''))
  .filter((key) => key !== '' && key.isWellFormed());

test('every key comes back from its name, and no two keys have one name', () => {
  fc.assert(fc.property(hardKeys, (key) => assert.equal(keyOfName(nameOfKey(key)), key)));
});

test('a name holds nothing that Azure drops or refuses', () => {
  fc.assert(
    fc.property(hardKeys, (key) => {
      const name = nameOfKey(key);
      assert.doesNotMatch(name, /[\p{Cc}\\\u{FFFE}\u{FFFF}]/u);
      for (const segment of name.split('/')) assert.doesNotMatch(segment, /^$|\.$/);
    }),
  );
});

test('the name of a key begins with that of each of its prefixes', () => {
  fc.assert(
    fc.property(hardKeys, fc.nat(), (key, cut) => {
      const prefix = key.slice(0, cut % (key.length + 1));
      assert.ok(nameOfKey(key).startsWith(namePrefixOf(prefix)), `${nameOfKey(key)} ${namePrefixOf(prefix)}`);
    }),
  );
});

test('plain keys are their own names', () => {
  for (const key of ['results/j/0/r/a b.txt', 'ü/漢字/😀', '100%', 'a.b', '.hidden', 'q?a=b&c#d+e'])
    assert.equal(nameOfKey(key), key);
});

test('names of other people’s blobs are no keys', () => {
  for (const name of ['a//b', '/a', 'a/', 'a.', 'a\\b', '%2E%2E/x', 'x%41', 'x%FF'])
    assert.equal(keyOfName(name), undefined);
});

test('keys that no blob can have are refused', () => {
  for (const key of ['', 'x'.repeat(1_025), 'x/'.repeat(255), '\ud800'])
    assert.throws(
      () => nameOfKey(key),
      (error) => isCode(error, 'LIMIT_EXCEEDED'),
    );
});
