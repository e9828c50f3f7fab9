import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFile, readlink, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { createLogger, silentLogger } from '../../../shared/log.ts';
import { temporaryDirectory } from '../../helpers/temporary.ts';

const LOG = new URL('../../../shared/log.ts', import.meta.url).href;

/** A stream that keeps the lines, parsed. */
function keeper(): { lines: Record<string, unknown>[]; write: (line: string) => void } {
  const lines: Record<string, unknown>[] = [];
  return { lines, write: (line) => void lines.push(JSON.parse(line) as Record<string, unknown>) };
}

describe('log', () => {
  it('writes a JSON line with name, time and fields', async () => {
    const to = keeper();
    const log = await createLogger({ name: 'part', to });
    log.child({ unit: 'u' }).info({ jobId: 'j' }, 'message');
    const [line] = to.lines;
    assert.deepEqual(
      [line?.['name'], line?.['unit'], line?.['jobId'], line?.['msg']],
      ['part', 'u', 'j', 'message'],
    );
    assert.ok(Math.abs(Date.parse(String(line?.['time'])) - Date.now()) < 60_000);
  });

  it('keeps to its level', async () => {
    const to = keeper();
    const log = await createLogger({ name: 'part', level: 'warn', to });
    log.info('no');
    log.warn('yes');
    assert.deepEqual(
      to.lines.map((line) => line['msg']),
      ['yes'],
    );
  });

  it('never writes what looks like a secret', async () => {
    const to = keeper();
    const log = await createLogger({ name: 'part', to });
    const hidden = 'hidden-value';
    log.info({
      token: hidden,
      headers: { authorization: hidden, 'set-cookie': hidden },
      a: { b: { password: hidden } },
    });
    log
      .child({ apiKey: hidden })
      .info({ err: Object.assign(new Error('x'), { context: { privateKey: hidden } }) }, 'x');
    assert.equal(to.lines.length, 2);
    assert.ok(!JSON.stringify(to.lines).includes(hidden), JSON.stringify(to.lines));
  });

  it('writes to a numbered file at once, and links the newest', async () => {
    await using directory = await temporaryDirectory();
    const log = await createLogger({
      name: 'part',
      to: 'nowhere',
      file: join(directory.path, 'logs', 'part'),
    });
    log.info('first');
    assert.deepEqual((await readdir(join(directory.path, 'logs'))).sort(), ['current.log', 'part.1.log']);
    assert.equal(await readlink(join(directory.path, 'logs', 'current.log')), 'part.1.log');
    const content = await readFile(join(directory.path, 'logs', 'current.log'), 'utf8');
    assert.equal((JSON.parse(content) as { msg: string }).msg, 'first');
  });

  it('writes JSON to a stdout that is no terminal, also in the last moment', async () => {
    const program = `import { createLogger } from '${LOG}';
      const log = await createLogger({ name: 'part' });
      log.error('last words');
      process.kill(process.pid, 'SIGKILL');`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    assert.equal((JSON.parse(await text(child.stdout)) as { msg: string }).msg, 'last words');
  });

  it('goes on when nobody reads its stdout', async () => {
    const program = `import { createLogger } from '${LOG}';
      const log = await createLogger({ name: 'part' });
      process.stdin.once('data', () => {
        for (let n = 0; n < 5000; n += 1) log.info('to a closed pipe');
        setTimeout(() => process.exit(7), 50);
      });`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const code = new Promise((resolve) => child.once('exit', resolve));
    child.stdout.destroy();
    child.stdin.write('go\n');
    assert.equal(await code, 7);
  });

  it('can be silent', () => {
    assert.equal(silentLogger.isLevelEnabled('fatal'), false);
  });
});
