import type { Context } from '../context.ts';

/**
 * What there is to type, as data: the program, its help, the completion and docs/cli.md are made of it, and the code of a
 * command is loaded only when it runs.
 */
export interface CommandEntry {
  /** `ps`, `job show`. */
  path: string;
  /** The same command in a second place: `watch` for `job watch`. */
  alsoAt?: string;
  /** In commander's notation: `<job>`, `[files...]`. */
  arguments?: Readonly<Record<string, string>>;
  summary: string;
  /** What one must know beyond the summary. */
  details?: string;
  options?: readonly OptionEntry[];
  /** Command line (without `clobi`) and what it does. */
  examples: readonly (readonly [string, string])[];
  /** What people usually do next. */
  next: string;
  group: string;
  load: () => Promise<CommandModule>;
}

export interface OptionEntry {
  flags: string;
  help: string;
  value?: ValueKind;
  choices?: readonly string[];
  default?: string | number;
}

/** How the text of an option becomes a value: `texts` gathers repeated ones, `labels` takes KEY=VALUE. */
export type ValueKind =
  | 'count'
  | 'integer'
  | 'number'
  | 'duration'
  | 'bytes'
  | 'texts'
  | 'labels'
  | 'indices';

interface CommandModule {
  /** Resolves to the exit code; nothing means 0. Each command declares the options that its entry names. */
  run: (context: Context, args: readonly string[], options: never) => Promise<number | undefined>;
}

export const GROUPS = {
  start: 'Start here:',
  work: 'Jobs and tasks:',
  services: 'Coordinator and agents:',
  tools: 'Tools:',
} as const;
