/** What a job file may be at most. Each limit has its own message, and protects the reader, not the queue. */
export const LIMITS = {
  textBytes: 16 * 1024 * 1024,
  /** Words and marks of YAML in one file; what parsing costs in time and memory follows this number. */
  tokens: 1_000_000,
  depth: 32,
  aliases: 100,
  documents: 1000,
  tasks: 10_000_000,
  axisValues: 100_000,
  excludes: 256,
  includes: 10_000,
  /** The file that `array.fromFile` names. */
  itemsFileBytes: 256 * 1024 * 1024,
  itemBytes: 256 * 1024,
  /** One task's parameters as JSON: its item, in which each character may be escaped, and the files of its own. */
  itemLineBytes: 16 * 1024 * 1024,
  inputFiles: 100_000,
  /** Problems shown; the rest is counted. */
  problems: 200,
} as const;
