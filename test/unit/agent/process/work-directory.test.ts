import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { pino } from 'pino';
import { WorkDirectory } from '../../../../agent/process/work-directory.ts';
import { waitFor } from '../../../helpers/wait.ts';

describe('work directory', () => {
  let parent: string;
  let work: WorkDirectory;
  beforeEach(async () => {
    parent = await mkdtemp(join(tmpdir(), 'clobi-work-'));
    work = new WorkDirectory(parent, pino({ level: 'silent' }));
  });
  afterEach(() => rm(parent, { recursive: true }));

  it('serves again while it stays empty', async () => {
    const first = work.prepare({ outputs: false });
    const { ino } = statSync(work.path);
    await work.clear();
    assert.equal(work.prepare({ outputs: true }), first);
    assert.deepEqual(readdirSync(work.path), ['outputs']);
    await work.clear();
    assert.equal(work.prepare({ outputs: false }), first);
    assert.deepEqual(readdirSync(work.path), []);
    assert.equal(statSync(work.path).ino, ino);
  });

  it('notices a change at whatever moment it comes', async () => {
    for (let n = 0; n < 200; n += 1) {
      work.prepare({ outputs: false });
      if (n % 3 === 0) writeFileSync(join(work.path, 'left'), '');
      await work.clear();
      assert.deepEqual(readdirSync(work.path), []);
      if (n % 50 === 0)
        await waitFor('the clock has gone on', () => Date.now() - statSync(work.path).ctimeMs > 60);
    }
  });

  it('is another one, and the old one goes away, when a task left something', async () => {
    const first = work.prepare({ outputs: false });
    mkdirSync(join(work.path, 'a', 'b'), { recursive: true });
    await work.clear();
    assert.notEqual(work.prepare({ outputs: false }), first);
    await waitFor('the old one is gone', () =>
      readdirSync(parent).every((name) => !name.startsWith('trash-')),
    );
  });

  it('is made anew when a task removed it or put something else in its place', async () => {
    work.prepare({ outputs: false });
    rmSync(work.path, { recursive: true });
    await work.clear();
    work.prepare({ outputs: false });
    rmSync(work.path, { recursive: true });
    writeFileSync(work.path, 'a file');
    await work.clear();
    work.prepare({ outputs: false });
    assert.deepEqual(readdirSync(work.path), []);
  });

  it('takes another name when something stands in its way', () => {
    writeFileSync(join(parent, 'work-0'), '');
    work.prepare({ outputs: false });
    assert.ok(work.path.endsWith('work-1'));
  });

  it('is gone after close', async () => {
    work.prepare({ outputs: true });
    await work.close();
    assert.deepEqual(readdirSync(parent), []);
  });
});
