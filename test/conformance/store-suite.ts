import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { isCode } from '../../shared/errors.ts';
import { STORE_PROBES } from '../../shared/providers/probes/store.ts';
import { temporaryDirectory } from '../helpers/temporary.ts';
import { keys, bytesOf, read, type StoreTraits, type StoreFixture, type WithStore } from './store-kit.ts';
import { signedCases } from './store-direct.ts';
import { listCases, processCases } from './store-lists.ts';

export type { StoreFixture, StoreTraits } from './store-kit.ts';

/** The behaviour every object store has. Written against the port alone. */
export function storeConformance(name: string, make: () => Promise<StoreFixture>, traits: StoreTraits): void {
  const withStore: WithStore = (test) => async () => {
    const fixture = await make();
    try {
      await test(await fixture.open(), fixture);
    } finally {
      await fixture.dispose();
    }
  };

  describe(`store: ${name}`, { timeout: 400_000 }, () => {
    for (const probe of STORE_PROBES) it(probe.name, withStore(probe.run));
    objectCases(withStore);
    conditionCases(withStore, traits);
    listCases(withStore, traits);
    signedCases(withStore, traits);
    if (traits.otherProcesses) processCases(withStore);
  });
}

function objectCases(withStore: WithStore): void {
  it(
    'streams a file of 50 MB',
    withStore(async (store) => {
      await using directory = await temporaryDirectory();
      const content = Buffer.alloc(50_000_000, randomBytes(4_099));
      const file = join(directory.path, 'big');
      await writeFile(file, content, { mode: 0o400 });
      const put = await store.put('big', { file });
      assert.equal(put.sizeBytes, content.length);
      assert.deepEqual(await store.head('big'), put);
      const hash = createHash('sha256');
      for await (const chunk of (await store.get('big'))!.body) hash.update(chunk as Buffer);
      assert.equal(hash.digest('hex'), createHash('sha256').update(content).digest('hex'));
      const part = await store.get('big', { range: { from: 49_999_990 } });
      assert.deepEqual(await bytesOf(part?.body), content.subarray(-10));
    }),
  );

  it(
    'puts and removes side by side in one directory',
    withStore(async (store) => {
      await Promise.all(
        Array.from({ length: 40 }, async (_, n) => {
          for (let round = 0; round < 5; round += 1) {
            await store.put(`busy/${n % 3}/${n}`, 'x');
            await store.remove([`busy/${n % 3}/${n}`]);
          }
          await store.put(`busy/${n % 3}/${n}`, 'last');
        }),
      );
      assert.equal((await keys(store, 'busy/')).length, 40);
    }),
  );

  it(
    'presigns, or says that it cannot',
    withStore(async (store) => {
      const url = await store.presign('get', 'key', 60_000);
      assert.equal(typeof url, store.capabilities.presign ? 'string' : 'undefined');
    }),
  );
}

function conditionCases(withStore: WithStore, { putsIfAbsent }: StoreTraits): void {
  it(
    'lets exactly one of twenty put if absent',
    withStore(async (store) => {
      if (!(putsIfAbsent ?? store.capabilities.putIfAbsent)) return;
      const bodies = Array.from({ length: 20 }, (_, n) => `writer ${n}`);
      const results = await Promise.allSettled(
        bodies.map((body) => store.put('claims/x', body, { ifAbsent: true })),
      );
      const winners = bodies.filter((_, n) => results[n]?.status === 'fulfilled');
      assert.equal(winners.length, 1);
      assert.equal((await read(store, 'claims/x')).toString(), winners[0]);
      const losses = results.filter((result) => result.status === 'rejected');
      assert.ok(losses.every(({ reason }) => isCode(reason, 'PRECONDITION_FAILED')));
    }),
  );
}
