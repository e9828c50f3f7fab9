import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import { ClobiError } from '../shared/errors.ts';

/**
 * The state directory belongs to one process (R12). The lock is SQLite's own file lock on `lock.sqlite`: the kernel
 * releases it when the process dies in whatever way. `lock.json` beside it only says who holds it.
 */
export interface StateLock {
  release(): void;
}

const holderSchema = z.object({ pid: z.number(), host: z.string(), startedAt: z.number() });

/** Takes the lock or throws `LOCKED`, naming the holder. */
export function takeLock(directory: string, now: number): StateLock {
  const database = new DatabaseSync(join(directory, 'lock.sqlite'), { timeout: 0 });
  const infoFile = join(directory, 'lock.json');
  try {
    database.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    throw new ClobiError('LOCKED', describeHolder(directory, infoFile), { cause: error });
  }
  writeFileSync(infoFile, `${JSON.stringify({ pid: process.pid, host: hostname(), startedAt: now })}\n`, {
    mode: 0o600,
  });
  let held = true;
  return {
    release() {
      if (!held) return;
      held = false;
      rmSync(infoFile, { force: true });
      database.close();
    },
  };
}

function describeHolder(directory: string, infoFile: string): string {
  const advice = 'Stop it first, or use another directory with --home.';
  try {
    const holder = holderSchema.parse(JSON.parse(readFileSync(infoFile, 'utf8')));
    const since = new Date(holder.startedAt).toISOString();
    return `${directory} is in use by the coordinator with process id ${holder.pid} on ${holder.host}, since ${since}. ${advice}`;
  } catch {
    // The holder has the lock a moment before it has written who it is.
    return `${directory} is in use by another coordinator. ${advice}`;
  }
}
