/**
 * `npm run quickstart`: the whole way of a job on this machine, with the very commands that you would type. Starts a coordinator and
 * an agent, submits the example in examples/average-dates, shows its progress, brings the results, and stops both cleanly.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm } from 'node:fs/promises';
import { join, relative } from 'node:path';
import process from 'node:process';
import { pause } from '../shared/clock.ts';

const root = join(import.meta.dirname, '..');
const home = join(root, '.clobi', 'quickstart');
const results = join(home, 'results');
const bin = join(root, 'coordinator', 'cli', 'bin.mjs');
const say = (text: string): void => void process.stderr.write(`${text}\n`);

/** Runs `clobi ARGS` before the user's eyes and fails with it. */
async function show(...args: string[]): Promise<string> {
  say(`\n$ npx clobi ${args.map((arg) => relative(root, arg) || arg).join(' ')}`);
  const child = clobi(args, ['inherit', 'pipe', 'inherit']);
  let stdout = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    process.stdout.write(text);
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`clobi ${args[0] ?? ''} ended with ${String(code)}`);
  return stdout;
}

const clobi = (args: readonly string[], stdio: ('inherit' | 'pipe' | 'ignore')[]): ChildProcess =>
  spawn(process.execPath, [bin, ...args], { cwd: root, stdio, env: { ...process.env, CLOBI_HOME: home } });

/** A part that stays up: quiet unless it dies, because its log is at hand with `clobi coordinator logs`. */
function background(...args: string[]): ChildProcess {
  say(`$ npx clobi ${args.join(' ')} &`);
  const child = clobi(args, ['ignore', 'ignore', 'inherit']);
  return child;
}

async function coordinatorAnswers(coordinator: ChildProcess): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (Date.now() < deadline && coordinator.exitCode === null) {
    const text = await readFile(join(home, 'coordinator', 'endpoint.json'), 'utf8').catch(() => undefined);
    const url = text === undefined ? undefined : (JSON.parse(text) as { url: string }).url;
    if (
      url !== undefined &&
      (await fetch(`${url}/healthz`).then(
        (answer) => answer.ok,
        () => false,
      ))
    )
      return;
    await pause(50);
  }
  throw new Error('the coordinator did not start; its log: npx clobi coordinator logs');
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  await exited;
}

await rm(home, { recursive: true, force: true });
const parts: ChildProcess[] = [];
try {
  const coordinator = background('coordinator', 'start', '--listen', '127.0.0.1:0');
  parts.push(coordinator);
  await coordinatorAnswers(coordinator);
  parts.push(background('agent', 'start', '--pool', 'local'));
  await show('submit', join('examples', 'average-dates', 'job.yaml'), '--watch');
  await show('ps');
  await show('job', 'outputs', 'last', '--to', results);
} finally {
  // The agent first: it hands back what it has not begun while there is still somebody to hear it.
  for (const part of parts.reverse()) await stop(part);
}
say(`
Done; both are stopped. The results are in ${relative(process.cwd(), results)}/<task>/…

What to try next:
  npx clobi run -- echo hello                        one command
  npx clobi run examples/full-chain/job.yaml         five dependent steps, 20 chains, one histogram
  npx clobi init                                     a commented job file of your own
  npx clobi --help`);
