import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const EXAMPLES = fileURLToPath(new URL('../../examples', import.meta.url));

/** A copy of one example in a directory of its own, for as long as a test needs it. */
export class Room {
  readonly example: string;
  readonly path: string;

  private constructor(example: string, path: string) {
    this.example = example;
    this.path = path;
  }

  static async of(example: string): Promise<Room> {
    const room = new Room(example, await mkdtemp(join(tmpdir(), `clobi-example-${example}-`)));
    await cp(join(EXAMPLES, example), room.path, { recursive: true });
    return room;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true, maxRetries: 5 });
  }

  at(...parts: string[]): string {
    return join(this.path, ...parts);
  }

  /** Runs a program of the example in its directory, to its end. */
  async run(command: string, ...args: string[]): Promise<Finished> {
    const child = spawn(command, args, { cwd: this.path, stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => void (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => void (stderr += text));
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, stdout, stderr };
  }

  /** As `run`, for a program that must succeed; gives what it printed. */
  async succeed(command: string, ...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(command, ...args);
    if (code !== 0) throw new Error(`${[command, ...args].join(' ')} ended with ${String(code)}: ${stderr}`);
    return stdout;
  }

  node(...args: string[]): Promise<string> {
    return this.succeed(process.execPath, ...args);
  }
}

export interface Finished {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** A reason to leave a test out, where the machine lacks a program that it needs; false where it has all. */
export function lacking(...programs: string[]): string | false {
  const missing = programs.filter((name) => spawnSync('sh', ['-c', `command -v ${name}`]).status !== 0);
  return missing.length > 0 && `no ${missing.join(', no ')}`;
}

/** Pages of a PDF by poppler, a reader that shares nothing with Ghostscript. */
export async function countPages(room: Room, path: string): Promise<number> {
  const pages = /^Pages:\s+(\d+)$/m.exec(await room.succeed('pdfinfo', path))?.[1];
  if (pages === undefined) throw new Error(`pdfinfo gives no page count for ${path}`);
  return Number(pages);
}
