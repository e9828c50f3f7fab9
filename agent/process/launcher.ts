import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { pause } from '../../shared/clock.ts';
import { messageOf } from '../../shared/errors.ts';
import { Capture } from './capture.ts';
import { type Command, commandText, type Program, Programs, quote } from './command-text.ts';
import { type Exit, isSignal, signalName, startProblem } from './exit.ts';
import { Helper, type Reply } from './helper.ts';
import type { Isolation } from './isolation.ts';
import { MEMORY_GROUP_FILE } from './leftovers.ts';
import { MemoryGroup, removeMemoryGroup } from './memory-group.ts';
import { UsageMeter, type Used } from './usage.ts';

export interface LauncherOptions {
  /** The slot's own directory, a real path. */
  directory: string;
  isolation: Isolation;
  log: Logger;
}

export interface Launch {
  command: Command;
  /** Another number when `command.directory` is another directory than before, even under the same name. */
  directoryNumber: number;
  memoryBytes: number | null;
  runMs: number | null;
  putChunk: (stream: 'stdout' | 'stderr', number: number, body: Buffer) => Promise<unknown>;
  /** Not begun when aborted by then; afterwards `stop` ends it. */
  cancelled: AbortSignal;
  /** Called when a limit is passed; is to end the task by `stop`. */
  onLimit: (limit: 'timeout' | 'oom') => void;
}

export interface Launched extends Used {
  exit: Exit;
  /** The kernel killed a process for want of memory. */
  wasOutOfMemory: boolean;
}

interface Running {
  launch: Launch;
  helper: Helper;
  meter: UsageMeter;
  /** Set when somebody waits for something while the task runs; aborts when it has ended. */
  over: AbortController | undefined;
  ladder: Promise<void> | undefined;
}

const SAMPLE_EVERY_MS = 1_000;

/** Starts the tasks of one slot, bounds and ends them. Keeps a helper alive, and another when that had to be killed. */
export class Launcher {
  readonly #options: LauncherOptions;
  readonly #group: MemoryGroup | undefined;
  readonly #programs = new Programs();
  readonly #sampler: NodeJS.Timeout;
  #helper: Promise<Helper>;
  /** Dead helpers whose output may not be read to its end yet. */
  readonly #retired: Helper[] = [];
  #directoryNumber = 0;
  #running: Running | undefined;
  #captures: { stdout: Capture; stderr: Capture } | undefined;
  #isFollowed = false;

  private constructor(options: LauncherOptions) {
    this.#options = options;
    this.#group = createGroup(options);
    this.#helper = this.#startHelper();
    this.#sampler = setInterval(() => this.#sample(), SAMPLE_EVERY_MS);
    this.#sampler.unref();
  }

  /** Rejects when the machine lets no helper start. */
  static async open(options: LauncherOptions): Promise<Launcher> {
    const launcher = new Launcher(options);
    try {
      await launcher.#helper;
    } catch (error) {
      await launcher.close();
      throw error;
    }
    return launcher;
  }

  /** Runs one command to its end. Its output is then in `captures`, which are to be finished before the next launch. */
  async launch(launch: Launch): Promise<Launched> {
    const helper = await this.#liveHelper();
    const { command, memoryBytes } = launch;
    launch.cancelled.throwIfAborted();
    this.#group?.limit(memoryBytes);
    const killsBefore = memoryBytes === null ? 0 : (this.#group?.kills() ?? 0);
    const program = this.#programs.find(command.argv[0] ?? '', command.env['PATH'] ?? '', command.directory);
    if (program === undefined) return notStarted(command, notInPath(command));
    const line = commandText(command, program, { stdout: helper.stdout.path, stderr: helper.stderr.path });
    if ('problem' in line) return notStarted(command, line.problem);
    const { stderr } = this.#capture(helper, launch);
    const meter = new UsageMeter({ helper, group: this.#group });
    const running: Running = { launch, helper, meter, over: undefined, ladder: undefined };
    const reply = await this.#runToEnd(running, this.#enter(launch) + line.text);
    const exit = await this.#exitOf(reply, { helper, program, stderr });
    const wasOutOfMemory =
      memoryBytes !== null && exit.kind !== 'start' && (this.#group?.kills() ?? 0) > killsBefore;
    const used = meter.finish();
    if (helper.isDead) this.#replace(helper);
    return { exit, wasOutOfMemory, ...used };
  }

  /** The output of the last launch; undefined when it did not come so far. */
  takeCaptures(): { stdout: Capture; stderr: Capture } | undefined {
    const captures = this.#captures;
    this.#captures = undefined;
    return captures;
  }

  /** Ends the running command: TERM to all its processes, KILL after the grace; without a grace KILL at once. */
  stop(graceMs: number): void {
    const running = this.#running;
    if (running === undefined) return;
    if (graceMs === 0) void this.#guard(running.helper.destroy());
    else running.ladder ??= this.#guard(climbDown(running.helper, graceMs, untilOver(running)));
  }

  follow(on: boolean): void {
    this.#isFollowed = on;
    this.#captures?.stdout.follow(on);
    this.#captures?.stderr.follow(on);
  }

  async close(): Promise<void> {
    clearInterval(this.#sampler);
    const helper = await this.#helper.catch(() => undefined);
    for (const old of [...this.#retired, helper]) if (old !== undefined) await this.#guard(old.close());
    if (this.#group !== undefined && !(await removeMemoryGroup(this.#group.path)))
      this.#options.log.warn({ group: this.#group.path }, 'memory group could not be removed');
  }

  #startHelper(): Promise<Helper> {
    const { directory, isolation } = this.#options;
    const starting = Helper.start({ directory, isolation, processesFile: this.#group?.processesFile });
    starting.catch(() => undefined);
    return starting;
  }

  async #liveHelper(): Promise<Helper> {
    for (const old of this.#retired.splice(0)) await this.#guard(old.close());
    const helper = await this.#helper.catch(() => undefined);
    if (helper?.isDead === false) return helper;
    if (helper !== undefined) await this.#guard(helper.close());
    this.#directoryNumber = 0;
    this.#helper = this.#startHelper();
    return this.#helper;
  }

  #replace(helper: Helper): void {
    this.#retired.push(helper);
    this.#directoryNumber = 0;
    this.#helper = this.#startHelper();
  }

  #capture(helper: Helper, { putChunk }: Launch): { stdout: Capture; stderr: Capture } {
    this.#captures = {
      stdout: new Capture(helper.stdout.output, (number, body) => putChunk('stdout', number, body)),
      stderr: new Capture(helper.stderr.output, (number, body) => putChunk('stderr', number, body)),
    };
    if (this.#isFollowed) this.follow(true);
    return this.#captures;
  }

  /** Shell code that goes to the work directory, when the shell is not there. */
  #enter({ command, directoryNumber }: Launch): string {
    if (directoryNumber === this.#directoryNumber) return '';
    this.#directoryNumber = directoryNumber;
    return `cd ${quote(command.directory)}||exit 98\nunset PWD OLDPWD\n`;
  }

  async #runToEnd(running: Running, text: string): Promise<Reply | undefined> {
    const { launch, helper } = running;
    this.#running = running;
    if (launch.runMs !== null)
      void waitForLimit(launch.runMs, untilOver(running), () => launch.onLimit('timeout'));
    const reply = await helper.run(text);
    this.#running = undefined;
    running.over?.abort();
    await running.ladder;
    return reply;
  }

  async #exitOf(
    reply: Reply | undefined,
    ran: { helper: Helper; program: Program; stderr: Capture },
  ): Promise<Exit> {
    if (reply === undefined) return { kind: 'killed' };
    const { status } = reply;
    if (status < 126) return { kind: 'code', code: status };
    const problem = startProblem(status, ran.stderr.tail, ran.program.path);
    if (problem !== undefined) {
      this.#programs.forget();
      return { kind: 'start', message: notStartedMessage(ran.program.path, problem) };
    }
    if (status <= 128) return { kind: 'code', code: status };
    const name = await signalInWords(ran.helper, status - 128);
    const said = ran.program.needsFork ? reply.said : ran.stderr.tail;
    return isSignal(status, name, said)
      ? { kind: 'signal', signal: signalName(status - 128) }
      : { kind: 'code', code: status };
  }

  #sample(): void {
    const running = this.#running;
    if (running === undefined) return;
    const bytes = running.meter.sample();
    const { memoryBytes, onLimit } = running.launch;
    if (this.#group === undefined && memoryBytes !== null && bytes > memoryBytes) onLimit('oom');
  }

  #guard(work: Promise<void>): Promise<void> {
    return work.catch((error: unknown) =>
      this.#options.log.error({ err: error }, `slot: ${messageOf(error)}`),
    );
  }
}

const notStarted = ({ argv }: Command, problem: string): Launched => ({
  exit: { kind: 'start', message: notStartedMessage(argv[0] ?? '', problem) },
  wasOutOfMemory: false,
  cpuMs: null,
  maxRssBytes: null,
});

const notStartedMessage = (program: string, problem: string): string =>
  `The command "${program}" could not be started: ${problem}.`;

const notInPath = ({ env }: Command): string =>
  `there is no such program in the PATH of this machine (${env['PATH'] ?? ''})`;

function createGroup({ isolation, directory }: LauncherOptions): MemoryGroup | undefined {
  if (isolation.memoryGroups === undefined) return undefined;
  const group = MemoryGroup.create(isolation.memoryGroups);
  writeFileSync(join(directory, MEMORY_GROUP_FILE), group.path);
  return group;
}

function untilOver(running: Running): AbortSignal {
  running.over ??= new AbortController();
  return running.over.signal;
}

async function climbDown(helper: Helper, graceMs: number, over: AbortSignal): Promise<void> {
  const asking = helper.terminate(over);
  await pause(graceMs, over);
  if (!over.aborted) await helper.destroy();
  await asking;
}

async function waitForLimit(runMs: number, over: AbortSignal, onLimit: () => void): Promise<void> {
  // Not by the time of day: a clock that is set back must not give more time.
  const end = performance.now() + runMs;
  while (!over.aborted && performance.now() < end) await pause(end - performance.now(), over);
  if (!over.aborted) onLimit();
}

const words = new Map<number, string>();

/** How the machine's shell names a signal; found out by trying, since shells and C libraries differ. */
async function signalInWords(helper: Helper, signal: number): Promise<string> {
  const known = words.get(signal);
  if (known !== undefined || helper.isDead || signal > 64) return known ?? '';
  const reply = await helper.run(`(cd /;ulimit -c 0;exec sh -c 'kill -${signal} $$')`);
  const said = (reply?.said ?? '').trim();
  words.set(signal, said);
  return said;
}
