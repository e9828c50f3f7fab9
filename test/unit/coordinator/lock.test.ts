import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { takeLock } from '../../../coordinator/lock.ts';
import { ClobiError } from '../../../shared/errors.ts';
import { temporaryDirectory } from '../../helpers/temporary.ts';
import { waitFor } from '../../helpers/wait.ts';

const holder = `
  import { takeLock } from ${JSON.stringify(new URL('../../../coordinator/lock.ts', import.meta.url).href)};
  takeLock(process.argv[1], 1000);
  process.stdout.write('taken');
  setInterval(() => undefined, 1000);
`;

describe('takeLock', () => {
  test('refuses a second holder, naming the first, and lets it in after the release', async () => {
    await using home = await temporaryDirectory();
    const first = takeLock(home.path, Date.UTC(2030, 0, 1));
    assert.throws(
      () => takeLock(home.path, 0),
      (error: unknown) => {
        assert.ok(error instanceof ClobiError);
        assert.equal(error.code, 'LOCKED');
        assert.equal(error.kind.exitCode, 6);
        assert.match(error.message, new RegExp(`process id ${String(process.pid)} .*2030-01-01`));
        return true;
      },
    );
    first.release();
    first.release();
    takeLock(home.path, 0).release();
  });

  test('is free again once its holder was killed', async () => {
    await using home = await temporaryDirectory();
    const child = spawn(process.execPath, ['--input-type=module', '-e', holder, home.path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    assert.throws(() => takeLock(home.path, 0), /in use by the coordinator with process id/);
    child.kill('SIGKILL');
    await once(child, 'exit');
    const lock = await waitFor('the lock is free', () => takeLock(home.path, 0));
    lock.release();
  });
});
