import type { RunId } from '../shared/ids.ts';
import type { Outcome } from '../shared/wire/event.ts';
import type { AgentIdentity } from './types.ts';
import type { UnitBody, UnitTask } from '../shared/wire/unit.ts';

/** The outcome of a task that the agent itself could not run. */
export function internalOutcome(
  identity: AgentIdentity,
  unit: UnitBody,
  ran: { task: UnitTask; run: RunId; startedAt: number; endedAt: number },
  message: string,
): Outcome {
  return {
    job: unit.job,
    index: ran.task.index,
    attempt: ran.task.attempt,
    run: ran.run,
    unit: unit.unit,
    agent: identity.agent,
    boot: identity.boot,
    result: 'failed',
    reason: 'internal',
    exitCode: null,
    signal: null,
    message: message.slice(0, 4096),
    startedAt: ran.startedAt,
    endedAt: ran.endedAt,
    outputs: [],
    stdout: { bytes: 0 },
    stderr: { bytes: 0 },
  };
}
