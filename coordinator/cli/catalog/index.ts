import { JOB_COMMANDS } from './job.ts';
import { REST } from './rest.ts';
import type { CommandEntry } from './types.ts';
import { WORK } from './work.ts';

export const CATALOG: readonly CommandEntry[] = [...WORK, ...JOB_COMMANDS, ...REST];

/** Commands that hold others. */
export const FAMILIES: Readonly<Record<string, string>> = {
  job: 'Everything about jobs',
  task: 'Everything about single tasks',
  coordinator: 'Run and look after the coordinator',
  agent: 'Run and look after agents',
  pool: 'Look at pools, and order what they get',
  schema: 'Schemas of what people write',
  demo: 'See Clobi at work',
};
