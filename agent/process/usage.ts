import type { MemoryGroup } from './memory-group.ts';
import { childrenCpuMs, residentBytes } from './tree.ts';

/** What a task used, as far as known: a task shorter than a second is not measured. */
export interface Used {
  cpuMs: number | null;
  maxRssBytes: number | null;
}

export interface Measured {
  /** The shell that waits for the task. */
  helper: { readonly pid: number; readonly isDead: boolean; members(): number[] };
  group: MemoryGroup | undefined;
}

/** Samples one running task. The shell has not waited for it yet, so what its children had used before is the start. */
export class UsageMeter {
  readonly #measured: Measured;
  #cpuAtStart: number | null = null;
  #peakBytes: number | null = null;

  constructor(measured: Measured) {
    this.#measured = measured;
  }

  /** Returns the memory in use now, in bytes. */
  sample(): number {
    const { helper, group } = this.#measured;
    this.#cpuAtStart ??= childrenCpuMs(helper.pid);
    const bytes =
      group?.residentBytes() ?? helper.members().reduce((sum, pid) => sum + residentBytes(pid), 0);
    this.#peakBytes = Math.max(bytes, this.#peakBytes ?? 0);
    return bytes;
  }

  finish(): Used {
    const { helper } = this.#measured;
    const end = this.#cpuAtStart === null || helper.isDead ? null : childrenCpuMs(helper.pid);
    return { cpuMs: end === null ? null : end - (this.#cpuAtStart ?? 0), maxRssBytes: this.#peakBytes };
  }
}
