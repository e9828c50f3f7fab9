import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { pause } from '../../shared/clock.ts';
import { ClobiError } from '../../shared/errors.ts';
import { quote } from './command-text.ts';
import { AGENT_ENVIRONMENT } from './environment.ts';
import type { Isolation } from './isolation.ts';
import { openPipes, type Pipe, readWhatIsThere } from './pipes.ts';
import { childOf, killTree, markedTree, markerOf, namespaceTree, signalProcess, type Tree } from './tree.ts';

/** What the shell says when a command has ended. */
export interface Reply {
  /** Its `$?`. */
  status: number;
  /** What it printed itself meanwhile: the name of a signal, or a complaint. */
  said: string;
}

export interface HelperOptions {
  /** The slot's own directory. */
  directory: string;
  isolation: Isolation;
  /** The `cgroup.procs` file of the group to enter. */
  processesFile: string | undefined;
}

type Shell = ChildProcessByStdio<Writable, Readable, Readable>;

/** Rounds of killing and reaping leftovers before the shell gives up and the helper is replaced. */
const MOST_ROUNDS = 500;
const START_DEADLINE_MS = 20_000;
const DEATH_DEADLINE_MS = 30_000;

/**
 * A shell that starts a slot's tasks, one at a time, because starting a process from a big Node process is slow. Where there is
 * a PID namespace it is that namespace's init: when it dies, so does everything it started, and no later than it.
 * States: starting → idle ⇄ running → dead.
 */
export class Helper {
  readonly stdout: Pipe;
  readonly stderr: Pipe;
  readonly #shell: Shell;
  readonly #isolation: Isolation;
  readonly #ended: Promise<void>;
  #tree: Tree = { members: () => [] };
  /** The shell itself, as the machine numbers it. */
  #pid = 0;
  #isDead = false;
  #heard = '';
  #onReply: ((reply: Reply | undefined) => void) | undefined;

  private constructor(shell: Shell, pipes: { stdout: Pipe; stderr: Pipe }, options: HelperOptions) {
    this.#shell = shell;
    this.stdout = pipes.stdout;
    this.stderr = pipes.stderr;
    this.#isolation = options.isolation;
    this.#ended = once(shell, 'close').then(
      () => this.#die(),
      () => this.#die(),
    );
    shell.stdin.on('error', () => undefined);
    shell.stdout.on('data', (chunk: Buffer) => this.#hear(chunk));
    shell.stderr.on('data', (chunk: Buffer) => this.#hear(chunk));
  }

  /** Rejects with `INTERNAL` when the machine does not let it start. */
  static async start(options: HelperOptions): Promise<Helper> {
    const [stdout, stderr] = await openPipes(options.directory, ['stdout', 'stderr']);
    if (stdout === undefined || stderr === undefined) throw new Error('unreachable');
    const [program = 'sh', ...words]: readonly string[] = [...options.isolation.launcher, 'sh'];
    const shell = spawn(program, words, {
      cwd: options.directory,
      // The marker, by which a later start of the agent finds leftovers.
      env: { ...AGENT_ENVIRONMENT, CLOBI_WORK_DIR: `${options.directory}/` },
      stdio: 'pipe',
      detached: true,
    });
    const helper = new Helper(shell, { stdout, stderr }, options);
    await helper.#prepare(options);
    return helper;
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  get pid(): number {
    return this.#pid;
  }

  members(): number[] {
    return this.#tree.members();
  }

  /**
   * Runs one line of shell code to its end and ends whatever it left behind. Undefined: the helper died over it,
   * or had to be ended because something could not be killed otherwise.
   */
  async run(text: string): Promise<Reply | undefined> {
    const reply = await this.#send(text);
    await readWhatIsThere();
    if (reply === undefined || this.#isolation.hasNamespace) return reply;
    if (this.members().length > 0 && !(await killTree(this.#tree))) await this.destroy();
    return reply;
  }

  /** Asks everything that runs to end (TERM); asks again until somebody was there to hear it. */
  async terminate(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && !this.#isDead) {
      const members = this.members();
      for (const pid of members) signalProcess(pid, 'SIGTERM');
      if (members.length > 0) return;
      await pause(20, signal);
    }
  }

  /** Kills the shell and everything it started; resolves when all are dead. Rejects when the kernel cannot end them. */
  async destroy(): Promise<void> {
    if (!this.#isDead) {
      signalProcess(this.#pid === 0 ? (this.#shell.pid ?? 0) : this.#pid, 'SIGKILL');
      if (!this.#isolation.hasNamespace && this.#shell.pid !== undefined)
        signalProcess(-this.#shell.pid, 'SIGKILL');
    }
    if (!this.#isolation.hasNamespace) await killTree(this.#tree);
    const late = new AbortController();
    await Promise.race([this.#ended, pause(DEATH_DEADLINE_MS, late.signal)]);
    late.abort();
    await readWhatIsThere();
    if (this.#isDead) return;
    this.#die();
    throw new ClobiError('INTERNAL', 'Processes of a task could not be ended: they hang in the kernel.');
  }

  async close(): Promise<void> {
    try {
      await this.destroy();
    } finally {
      this.stdout.close();
      this.stderr.close();
    }
  }

  async #prepare(options: HelperOptions): Promise<void> {
    const late = new AbortController();
    const timeout = pause(START_DEADLINE_MS, late.signal).then(() => undefined);
    const reply = await Promise.race([this.#send(preamble(options)), timeout]);
    late.abort();
    const pid = this.#shell.pid ?? 0;
    this.#pid = this.#isolation.hasNamespace ? (childOf(pid) ?? 0) : pid;
    this.#tree = this.#isolation.hasNamespace
      ? namespaceTree(this.#pid)
      : markedTree(markerOf(options.directory), this.#pid);
    if (reply?.status === 0 && this.#pid !== 0) return;
    const heard = reply?.said ?? this.#heard;
    await this.close();
    throw new ClobiError('INTERNAL', `The helper shell of a slot did not start: ${heard.trim()}`);
  }

  #send(text: string): Promise<Reply | undefined> {
    if (this.#isDead) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      this.#onReply = resolve;
      this.#shell.stdin.write(`${text}\nr=$?;clear;echo "done $r $n"\n`);
    });
  }

  #hear(chunk: Buffer): void {
    this.#heard += chunk.toString('latin1');
    if (!this.#heard.endsWith('\n')) return;
    const match = /^done (\d+) (\d+)\n$/m.exec(this.#heard);
    if (match === null) return;
    const reply = { status: Number(match[1]), said: this.#heard.slice(0, match.index) };
    this.#heard = '';
    if (Number(match[2]) < MOST_ROUNDS) {
      this.#answer(reply);
      return;
    }
    const answer = this.#onReply;
    this.#onReply = undefined;
    this.destroy().then(
      () => answer?.(reply),
      () => answer?.(undefined),
    );
  }

  #die(): void {
    this.#isDead = true;
    this.#answer(undefined);
  }

  #answer(reply: Reply | undefined): void {
    const answer = this.#onReply;
    this.#onReply = undefined;
    answer?.(reply);
  }
}

/**
 * `clear` ends what a task left. `kill -KILL -1` means everything in a namespace, and everything on the machine outside
 * of one: so the shell first makes sure that it is an init.
 */
function preamble({ isolation, processesFile }: HelperOptions): string {
  const lines = ['exec 2>&1', 'unset CLOBI_WORK_DIR PWD OLDPWD SHLVL'];
  if (processesFile !== undefined) lines.push(`echo 0 >${quote(processesFile)} || exit 96`);
  if (isolation.hasNamespace) {
    lines.push('[ $$ -eq 1 ] || exit 97');
    lines.push(
      `clear() { n=0; while kill -KILL -1 2>&-; do n=$((n+1)); [ $n -ge ${MOST_ROUNDS} ] && break; (:); done; }`,
    );
  } else lines.push('clear() { n=0; }');
  return `${lines.join('\n')}\n:`;
}
