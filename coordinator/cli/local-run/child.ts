import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { pause } from '../../../shared/clock.ts';
import { EXIT, messageOf } from '../../../shared/errors.ts';

/**
 * One of our own programs as a child that dies with us: the end of its standard input tells it that we are gone, in whatever way. It
 * has its own process group, so a Ctrl-C on the terminal reaches us alone. States: running → (ended → running)* → stopped. A child that
 * ends on its own is started again until the restarts are used up, unless it refused its work (exit code 6); then `onGone` is told.
 */
export interface ChildOptions {
  /** As people know it: "coordinator", "agent". */
  title: string;
  args: readonly string[];
  restarts: number;
  onRestart: (why: string) => void;
  onGone: (why: string) => void;
}

const BIN = fileURLToPath(new URL('../bin.mjs', import.meta.url));
const TAIL_BYTES = 4096;
const PAUSE_BEFORE_RESTART_MS = 300;

export class Child {
  readonly #options: ChildOptions;
  #process: ChildProcess | undefined;
  #tail = '';
  #left: number;
  #stopping = false;
  #life: Promise<void> | undefined;

  constructor(options: ChildOptions) {
    this.#options = options;
    this.#left = options.restarts;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  start(): void {
    this.#life ??= this.#live();
  }

  /** Asks it to end as SIGTERM does; resolves when it has. After `patienceMs` it is killed. */
  async stop(patienceMs: number): Promise<void> {
    this.#stopping = true;
    this.#process?.kill('SIGTERM');
    const over = new AbortController();
    const killLater = pause(patienceMs, over.signal).then(
      () => over.signal.aborted || this.#process?.kill('SIGKILL'),
    );
    await this.#life;
    over.abort();
    await killLater;
  }

  /** Tells it that nobody waits any more: it kills what it runs and goes. */
  hurry(): void {
    this.#process?.stdin?.destroy();
  }

  async #live(): Promise<void> {
    for (;;) {
      const why = await this.#runOnce();
      if (this.#stopping) return;
      // It has refused: somebody else holds what it needs, and a new start finds the same.
      const refused = this.#process?.exitCode === EXIT.conflict;
      if (refused || this.#left === 0) {
        this.#options.onGone(why);
        return;
      }
      this.#left -= 1;
      this.#options.onRestart(why);
      await pause(PAUSE_BEFORE_RESTART_MS);
      if (this.#wasStopped()) return;
    }
  }

  // A method, because the compiler takes the field for unchanged across the pause.
  #wasStopped(): boolean {
    return this.#stopping;
  }

  /** Resolves with how it ended, in words. */
  async #runOnce(): Promise<string> {
    const { CLOBI_HOME: _home, ...env } = process.env;
    const child = spawn(process.execPath, [BIN, ...this.#options.args], {
      stdio: ['pipe', 'ignore', 'pipe'],
      detached: true,
      env: { ...env, CLOBI_EXIT_WITH_PARENT: '1' },
    });
    this.#process = child;
    this.#tail = '';
    child.stdin.on('error', () => undefined);
    child.stderr
      .setEncoding('utf8')
      .on('data', (text: string) => (this.#tail = (this.#tail + text).slice(-TAIL_BYTES)));
    try {
      const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
      const said = this.#tail.trim().replaceAll(/^clobi: /gm, '');
      const how = signal === null ? `exit code ${code ?? '?'}` : `signal ${signal}`;
      return said === '' ? how : `${how}: ${said}`;
    } catch (error) {
      return messageOf(error);
    }
  }
}
