import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { OutputView } from '../../coordinator/http/api.ts';
import { clobi } from '../helpers/process.ts';
import { temporaryDirectory } from '../helpers/temporary.ts';
import { ThreeClouds } from '../helpers/three-clouds.ts';

const MIB = 1024 * 1024;

test('outputs of both clouds come whole over connections that break: each try goes on where the last one broke', async () => {
  await using clouds = await ThreeClouds.create();
  await using results = await temporaryDirectory();
  const { cluster, proxies } = clouds;
  await clouds.start();
  const job = await cluster.submit({
    command: ['sh', '-c', `head -c ${String(5 * MIB)} /dev/urandom > large`],
    outputs: [{ glob: 'large', required: true }],
    tasks: { kind: 'count', count: 2 },
    placement: { require: { pools: ['aws'] } },
  });
  const other = await cluster.submit({
    command: ['sh', '-c', `head -c ${String(5 * MIB)} /dev/urandom > large`],
    outputs: [{ glob: 'large', required: true }],
    placement: { require: { pools: ['azure'] } },
  });
  for (const id of [job, other]) assert.equal((await cluster.over(id)).state, 'succeeded');

  // A file is tried three times, so one of 5 MiB comes only when what came before a break is not asked for again.
  const cut = { kind: 'cut', afterBytes: 2 * MIB } as const;
  for (const proxy of [proxies.s3, proxies.azureBlob])
    proxy.set(({ method, url }) => (method === 'GET' && url.includes('/results/') ? cut : undefined));
  for (const id of [job, other]) {
    const args = ['job', 'outputs', id, '--to', join(results.path, id), '--home', cluster.home];
    const { code, stderr } = await clobi(args, { env: cluster.env });
    assert.equal(code, 0, stderr);
    const { outputs } = await cluster.get<{ outputs: OutputView[] }>(`/v1/jobs/${id}/outputs`);
    for (const { index, path, sha256 } of outputs) {
      const directory = join(results.path, id, String(index));
      const bytes = await readFile(join(directory, path));
      assert.equal(createHash('sha256').update(bytes).digest('hex'), sha256);
      assert.deepEqual(await readdir(directory), ['large'], 'no pieces are left');
    }
  }
  assert.ok(proxies.s3.harmed >= 4 && proxies.azureBlob.harmed >= 2, 'connections broke');
});
