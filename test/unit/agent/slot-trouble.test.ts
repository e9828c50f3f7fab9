import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ClobiError, type ErrorCode } from '../../../shared/errors.ts';
import type { ObjectStore, PutBody } from '../../../shared/providers/ports.ts';
import { SlotRig } from './slot-rig.ts';

/** A store that refuses the first calls of a kind. */
function refusing(
  calls: number,
  code: ErrorCode,
  which: (call: 'put' | 'get', key: string) => boolean,
): (store: ObjectStore) => ObjectStore {
  let left = calls;
  const refuse = (call: 'put' | 'get', key: string): void => {
    if (!which(call, key) || left === 0) return;
    left -= 1;
    throw new ClobiError(code, 'the credentials have expired');
  };
  return (store) => ({
    capabilities: store.capabilities,
    head: (key) => store.head(key),
    list: (prefix, after) => store.list(prefix, after),
    remove: (keys) => store.remove(keys),
    presign: (...call) => store.presign(...call),
    put: async (key: string, body: PutBody) => {
      refuse('put', key);
      return store.put(key, body);
    },
    get: async (key, options) => {
      refuse('get', key);
      return store.get(key, options);
    },
  });
}

describe('credentials that expire lose no run', () => {
  for (const code of ['CLOUD_AUTH', 'CLOUD_QUOTA', 'THROTTLED'] as const) {
    it(`while its outputs go up: ${code}`, async () => {
      const wrap = refusing(3, code, (call, key) => call === 'put' && key.startsWith('results/'));
      await using rig = await SlotRig.start({ wrap });
      const script = 'echo small > small; head -c 3000000 /dev/zero > large';
      const outcome = await rig.sh(script, { outputs: [{ glob: '*a*' }] });
      assert.equal(outcome.result, 'succeeded', outcome.message ?? '');
      assert.deepEqual(outcome.outputs.map(({ path }) => path).sort(), ['large', 'small']);
    });
  }

  it('while what it prints goes up', async () => {
    const wrap = refusing(2, 'CLOUD_AUTH', (call, key) => call === 'put' && key.startsWith('logs/'));
    await using rig = await SlotRig.start({ wrap });
    const outcome = await rig.sh('yes | head -c 3000000');
    assert.equal(outcome.result, 'succeeded', outcome.message ?? '');
    assert.equal((await rig.log(outcome, 'stdout')).length, 3_000_000);
  });

  it('while its inputs come', async () => {
    const wrap = refusing(2, 'CLOUD_AUTH', (call, key) => call === 'get' && key.startsWith('inputs/'));
    await using rig = await SlotRig.start({ wrap });
    const input = await rig.input('in.txt', 'hello');
    const outcome = await rig.sh('cat in.txt', { inputs: [input] });
    assert.equal(outcome.stdout.inline, 'hello', outcome.message ?? '');
  });
});
