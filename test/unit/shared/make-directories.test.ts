import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { test } from 'node:test';
import { isCode } from '../../../shared/errors.ts';
import { makeDirectories } from '../../../shared/make-directories.ts';
import { temporaryDirectory } from '../../helpers/temporary.ts';

test('makes what is missing, and says why where it cannot: below /proc Node’s own way never ends', async () => {
  await using directory = await temporaryDirectory();
  const path = `${directory.path}/a/b/c`;
  makeDirectories(path, 0o700);
  makeDirectories(path);
  assert.equal(statSync(path).mode & 0o777, 0o700);
  for (const wrong of ['/proc/x', '/proc/x/y', '/dev/null/x'])
    assert.throws(
      () => makeDirectories(wrong),
      (error) => isCode(error, 'USAGE') && String(error).includes('cannot be made'),
    );
});
