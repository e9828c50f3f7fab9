import { internalOutcome } from '../../../agent/internal-outcome.ts';
import type { AgentIdentity, Slot, TaskToRun } from '../../../agent/types.ts';
import type { Outcome } from '../../../shared/wire/event.ts';

/** What the fake slots of a test share with it. */
export interface Stage {
  readonly identity: AgentIdentity;
  readonly ops: string[];
  readonly begun: string[];
  /** Ends the running task of that name, `<unit>/<index>`. */
  readonly running: Map<string, (result: FakeEnd) => void>;
  /** Each task ends at once. */
  autoEnd: boolean;
  /** What each task prints. */
  output: string;
}

/** A slot that runs nothing: each task ends when the test says so, or at once. */
/** `unbegun`: the machine could not start the command. */
export type FakeEnd = Outcome['result'] | 'unbegun';

export class FakeSlot implements Slot {
  readonly #stage: Stage;
  #current: { task: TaskToRun; end: (outcome: Outcome) => void } | undefined;

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  run(task: TaskToRun): Promise<Outcome> {
    this.#stage.begun.push(`${task.unit.unit}/${task.task.index}`);
    return new Promise((resolve) => {
      this.#current = { task, end: resolve };
      this.#stage.running.set(`${task.unit.unit}/${task.task.index}`, (result) => this.#end(result));
      if (this.#stage.autoEnd) setImmediate(() => this.#end('succeeded'));
    });
  }

  #end(how: FakeEnd): void {
    if (this.#current === undefined) return;
    const { task, end } = this.#current;
    this.#current = undefined;
    this.#stage.running.delete(`${task.unit.unit}/${task.task.index}`);
    const now = Date.now();
    const base = internalOutcome(
      this.#stage.identity,
      task.unit,
      { task: task.task, run: task.run, startedAt: now, endedAt: now },
      '',
    );
    if (how === 'unbegun') {
      end(base);
      return;
    }
    const result = how;
    const reason = result === 'succeeded' ? null : result === 'failed' ? 'exit' : 'cancelled';
    end({
      ...base,
      result,
      reason,
      message: null,
      stdout: { bytes: this.#stage.output.length, inline: this.#stage.output },
    });
  }

  cancel(): void {
    this.#stage.ops.push('cancel');
    this.#end('cancelled');
  }

  kill(): void {
    this.#stage.ops.push('kill');
    this.#end('failed');
  }

  follow(on: boolean): void {
    this.#stage.ops.push(`follow ${on}`);
  }

  async close(): Promise<void> {
    this.#stage.ops.push('close slot');
  }
}
