import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { temporaryDirectory } from '../../helpers/temporary.ts';

const ROOT = new URL('../../../', import.meta.url);
const PRELOAD = fileURLToPath(new URL('test/fixtures/cli/print-loads.mjs', ROOT));
const SDK = /node_modules\/(@aws-sdk|@smithy|@azure)\/|shared\/providers\/(aws|azure)\//;

/** Every module that a program loads, in a process of its own. */
function loadsOf(args: readonly string[], cwd: string): string[] {
  const { stderr, status } = spawnSync(process.execPath, [`--import=${PRELOAD}`, ...args], {
    cwd,
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
  return stderr.split('\n').filter((line) => line.startsWith('load '));
}

test('help and local work load no SDK of a cloud', async () => {
  await using directory = await temporaryDirectory();
  const program = `
    import { openManager, openQueue, openStore } from ${JSON.stringify(new URL('shared/providers/open.ts', ROOT).href)};
    const queue = await openQueue('local-queue:${directory.path}/q.sqlite');
    await queue.ensure();
    await queue.send(['x']);
    await queue.close();
    const store = await openStore('file:${directory.path}/store');
    await store.put('key', 'x');
    if ((await openManager('file:${directory.path}/store')) !== undefined) process.exit(1);`;
  const local = ['--input-type=module', '--eval', program];
  const help = [fileURLToPath(new URL('coordinator/cli/bin.mjs', ROOT)), '--help'];
  for (const args of [help, local]) {
    const loads = loadsOf(args, directory.path);
    assert.ok(loads.length > 5, 'loads are seen');
    assert.deepEqual(
      loads.filter((line) => SDK.test(line)),
      [],
    );
  }
});

test('a queue of one cloud loads neither its store nor another cloud', () => {
  const open = new URL('shared/providers/open.ts', ROOT).href;
  const program = `
    import { openQueue } from ${JSON.stringify(open)};
    await (await openQueue('sqs://eu-central-1/q')).close();`;
  const loads = loadsOf(['--input-type=module', '--eval', program], fileURLToPath(ROOT));
  assert.ok(
    loads.some((line) => line.includes('@aws-sdk/client-sqs')),
    'loads of SDKs are seen',
  );
  assert.deepEqual(
    loads.filter((line) => /@aws-sdk\/(client-s3|lib-storage)\/|@azure\//.test(line)),
    [],
  );
});
