import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, it } from 'node:test';
import { capacityOf, loadSettings } from '../../../agent/config.ts';
import { takeDirectory } from '../../../agent/directory.ts';
import { runAgent } from '../../../agent/main.ts';
import { isCode } from '../../../shared/errors.ts';
import { silentLogger } from '../../../shared/log.ts';
import { agentConfigFile } from '../../../shared/paths.ts';
import { LocalQueue } from '../../../shared/providers/local/queue.ts';
import { FileStore } from '../../../shared/providers/local/store.ts';
import { eventBatchSchema, type Outcome } from '../../../shared/wire/event.ts';
import { waitFor } from '../../helpers/wait.ts';
import { publicKey, sealed, specWith, unitOf } from './units.ts';

async function temporaryHome(): Promise<AsyncDisposable & { home: string }> {
  const home = await mkdtemp(join(tmpdir(), 'clobi-agent-home-'));
  return { home, [Symbol.asyncDispose]: () => rm(home, { recursive: true, force: true }) };
}

function configOf(home: string) {
  return {
    v: 1,
    ns: 'test',
    pool: 'local',
    unitsQueue: `local-queue:${home}/units.sqlite`,
    eventsQueue: `local-queue:${home}/events.sqlite`,
    store: `file:${home}/store`,
    publicKey,
    labels: { zone: 'a', disk: 'fast' },
    timing: { heartbeatMs: 50, leaseMs: 1_000, flushMs: 20, controlPollMs: 50 },
  };
}

async function writeConfig(home: string, change: object = {}): Promise<void> {
  const file = agentConfigFile(home, 'local');
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, JSON.stringify({ ...configOf(home), ...change }));
}

const started: ChildProcess[] = [];
afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
});

/** Runs a program text in a process of its own; resolves when it has printed a line. */
async function startProgram(
  text: string,
  env: Record<string, string> = {},
): Promise<{ child: ChildProcess; exited: Promise<unknown[]>; line: () => string }> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', text], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  });
  started.push(child);
  const exited = once(child, 'exit');
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => void (output += chunk.toString()));
  await waitFor('the program is ready', () => output.includes('\n'));
  return { child, exited, line: () => output.trim() };
}

const fileOf = (path: string): string => JSON.stringify(new URL(`../../../${path}`, import.meta.url).href);

describe('settings', () => {
  it('come from the file of the pool and from options', async () => {
    await using at = await temporaryHome();
    await writeConfig(at.home);
    const settings = await loadSettings({ home: at.home, pool: 'local', slots: 3, labels: { disk: 'slow' } });
    assert.equal(settings.capacity.slots, 3);
    assert.ok(settings.capacity.cpus >= 3 && settings.capacity.memoryBytes > 0);
    assert.deepEqual(settings.labels, { zone: 'a', disk: 'slow' });
  });

  it('give the free disk, rounded so that machines of one kind look alike, or what is said', async () => {
    await using at = await temporaryHome();
    await writeConfig(at.home);
    const { capacity } = await loadSettings({ home: at.home, pool: 'local' });
    const free = capacity.diskBytes ?? 0;
    assert.ok(free > 0);
    assert.equal(free % 2 ** Math.max(0, Math.floor(Math.log2(free)) - 3), 0);
    const said = await loadSettings({ home: at.home, pool: 'local', diskBytes: 5 });
    assert.equal(said.capacity.diskBytes, 5);
  });

  it('are refused with what is wrong, and what to do', async () => {
    await using at = await temporaryHome();
    const load = (options: object) => loadSettings({ home: at.home, pool: 'local', ...options });
    await assert.rejects(
      load({}),
      (error) => isCode(error, 'NOT_FOUND') && /agent\.json.*--config/.test(String(error)),
    );
    await writeConfig(at.home, { timing: {} });
    await assert.rejects(
      load({}),
      (error) => isCode(error, 'INVALID_CONFIG') && /heartbeatMs/.test(String(error)),
    );
    await writeConfig(at.home, { pool: 'other' });
    await assert.rejects(load({}), /of pool "other"/);
    await assert.rejects(load({ name: '../x' }), /--name "\.\.\/x"/);
    await assert.rejects(load({ pool: '' }), /--pool/);
  });

  it('share out what the machine has unless told otherwise', () => {
    assert.deepEqual(capacityOf({ slots: 5, cpus: 2, memoryBytes: 7, gpus: 1 }), {
      slots: 5,
      cpus: 2,
      memoryBytes: 7,
      gpus: 1,
    });
    assert.equal(capacityOf({ cpus: 2.5 }).slots, 2);
    for (const bad of [
      { slots: 0 },
      { slots: 1.5 },
      { cpus: 0 },
      { cpus: Number.NaN },
      { memoryBytes: -1 },
      { gpus: -1 },
    ])
      assert.throws(
        () => capacityOf(bad),
        (error) => isCode(error, 'INVALID_CONFIG'),
        JSON.stringify(bad),
      );
  });
});

describe('the directory of an agent', () => {
  it('is one agent’s alone, and names it', async () => {
    await using at = await temporaryHome();
    const [first, second] = [takeDirectory(at.home, 'local'), takeDirectory(at.home, 'local')];
    assert.match(first.name, /-1$/);
    assert.match(second.name, /-2$/);
    assert.ok(first.name.startsWith(hostname().slice(0, 3).replaceAll('.', '-')));
    assert.throws(
      () => takeDirectory(at.home, 'local', first.name),
      (error) => isCode(error, 'CONFLICT'),
    );
    first.release();
    const again = takeDirectory(at.home, 'local');
    assert.equal(again.name, first.name);
    again.release();
    second.release();
  });

  it('is free again at once when its agent was killed', async () => {
    await using at = await temporaryHome();
    const text = `import { takeDirectory } from ${fileOf('agent/directory.ts')};
      console.log(takeDirectory(${JSON.stringify(at.home)}, 'local').name); setInterval(() => undefined, 1000);`;
    const { child, exited, line } = await startProgram(text);
    const other = takeDirectory(at.home, 'local');
    assert.notEqual(other.name, line());
    other.release();
    child.kill('SIGKILL');
    await exited;
    const heir = takeDirectory(at.home, 'local');
    assert.equal(heir.name, line());
    heir.release();
  });
});

describe('requests to go', () => {
  const program = `import { watchStopSignals } from ${fileOf('agent/stop-signals.ts')};
    const stops = watchStopSignals();
    stops.drain.onabort = () => console.log('drain');
    const finish = () => { stops.dispose(); clearInterval(alive); };
    stops.now.onabort = () => {
      console.log('now');
      // Until its input ends it takes any number of signals more.
      if (process.stdin.readableEnded) finish();
      else process.stdin.resume().once('end', finish);
    };
    const alive = setInterval(() => undefined, 1000);
    console.log('ready');`;

  it('the first signal drains, one key press that arrives twice is one, a later one means now', async () => {
    const { child, exited, line } = await startProgram(program);
    child.kill('SIGINT');
    await waitFor('it drains', () => line().endsWith('drain'));
    child.kill('SIGTERM');
    await waitFor(
      'a later signal is obeyed',
      () => {
        child.kill('SIGTERM');
        return line().endsWith('now');
      },
      5_000,
    );
    child.stdin?.end();
    const [code] = await exited;
    assert.equal(code, 0);
    assert.equal(line(), 'ready\ndrain\nnow');
  });

  it('the end of the parent means now, if it asked for that', async () => {
    const { child, exited, line } = await startProgram(program, { CLOBI_EXIT_WITH_PARENT: '1' });
    child.stdin?.end();
    const [code] = await exited;
    assert.equal(code, 0);
    assert.ok(line().includes('now'));
  });
});

describe('runAgent', () => {
  it('cleans up, greets, beats and says goodbye, and frees its name', async () => {
    await using at = await temporaryHome();
    await writeConfig(at.home);
    const [units, events] = ['units', 'events'].map((name) =>
      LocalQueue.open(`${at.home}/${name}.sqlite`),
    ) as [LocalQueue, LocalQueue];
    await units.ensure();
    await events.ensure();
    const leftover = join(at.home, 'agents', 'local', 'one', 'slots', '7', 'work');
    await mkdir(leftover, { recursive: true });
    const stop = new AbortController();
    const running = runAgent({
      home: at.home,
      pool: 'local',
      name: 'one',
      log: silentLogger,
      signal: stop.signal,
    });
    await waitFor('it has sent something', async () => (await events.depth()) >= 2);
    await assert.rejects(
      runAgent({ home: at.home, pool: 'local', name: 'one', log: silentLogger }),
      (error) => isCode(error, 'CONFLICT'),
    );
    await units.send([
      sealed(unitOf(3, { spec: { inline: { ...specWith(), command: ['echo', 'hello'] } } })),
    ]);
    const store = await FileStore.open(`${at.home}/store`);
    await waitFor(
      'outcomes are in a segment',
      async () => (await store.list('segments/local/one/')).length > 0,
      20_000,
    );
    stop.abort();
    await running;
    assert.equal(await units.depth(), 0);
    const types: string[] = [];
    const outcomes: Outcome[] = [];
    for (const { body } of await events.receive({ max: 100, waitMs: 0, leaseMs: 1_000 }))
      for (const event of eventBatchSchema.parse(JSON.parse(body)).events) {
        types.push(event.type);
        if (event.type === 'outcome') outcomes.push(...(event.outcomes ?? []));
      }
    assert.deepEqual(
      outcomes.map(({ index, result, stdout }) => [index, result, stdout.inline]).sort(),
      [0, 1, 2].map((n) => [n, 'succeeded', 'hello\n']),
    );
    assert.deepEqual([types[0], types.at(-1)], ['hello', 'goodbye']);
    assert.ok(types.includes('heartbeat'));
    assert.ok(types.includes('draining'));
    await assert.rejects(stat(leftover), { code: 'ENOENT' });
    takeDirectory(at.home, 'local', 'one').release();
    await events.close();
    await units.close();
  });
});
