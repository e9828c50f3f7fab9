/**
 * Every error a user may meet, with its text. One class; `code` says what happened, `retryable` whether the
 * same call may work later, `context` the values involved. Exit codes follow from the code.
 */
export interface ErrorKind {
  retryable: boolean;
  /** Exit code of the CLI when this ends it. */
  exitCode: ExitCode;
  /** HTTP status when the API answers with it. */
  httpStatus: number;
  /** What it means and what to do; shown in docs/errors.md. */
  meaning: string;
}

export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  notAuthorised: 4,
  unreachable: 5,
  conflict: 6,
  jobFailed: 10,
  jobCancelled: 11,
  timedOut: 124,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

const kind = (httpStatus: number, exitCode: ExitCode, retryable: boolean, meaning: string): ErrorKind => ({
  httpStatus,
  exitCode,
  retryable,
  meaning,
});

export const ERROR_KINDS = {
  USAGE: kind(
    400,
    EXIT.usage,
    false,
    'The command line is wrong. `clobi COMMAND --help` shows what is right.',
  ),
  INVALID_JOB: kind(
    400,
    EXIT.usage,
    false,
    'The job file has problems; each is named with its line and column. Nothing was submitted.',
  ),
  INVALID_CONFIG: kind(
    400,
    EXIT.usage,
    false,
    'A setting is wrong; the message names it, its value and its bounds.',
  ),
  LIMIT_EXCEEDED: kind(
    413,
    EXIT.usage,
    false,
    'Something is larger than Clobi takes; the message names the limit.',
  ),
  NOT_FOUND: kind(404, EXIT.notFound, false, 'There is no such job, task, agent, pool or object.'),
  AMBIGUOUS_ID: kind(409, EXIT.conflict, false, 'More than one id begins like this. Give more letters.'),
  UNAUTHORISED: kind(
    401,
    EXIT.notAuthorised,
    false,
    'The token is missing or wrong. It is in the file `token` of the coordinator’s state directory.',
  ),
  FORBIDDEN_ORIGIN: kind(
    403,
    EXIT.notAuthorised,
    false,
    'The request came under a host name or from a page that is not allowed.',
  ),
  UNREACHABLE: kind(
    503,
    EXIT.unreachable,
    true,
    'No coordinator answers. Start one with `clobi coordinator start`, or use `clobi run`.',
  ),
  CONFLICT: kind(409, EXIT.conflict, false, 'The thing is not in a state in which this can be done.'),
  LOCKED: kind(
    409,
    EXIT.conflict,
    false,
    'Another coordinator uses this state directory; the message names its process.',
  ),
  STALE_EPOCH: kind(
    409,
    EXIT.conflict,
    false,
    'Another coordinator has taken over this store. Start with `--take-over` to take it back.',
  ),
  TIMED_OUT: kind(504, EXIT.timedOut, true, 'It was not done in the time given.'),
  RATE_LIMITED: kind(429, EXIT.failed, true, 'Too many requests; wait a moment.'),
  PRECONDITION_FAILED: kind(412, EXIT.conflict, false, 'The object exists already.'),
  LEASE_LOST: kind(
    409,
    EXIT.failed,
    false,
    'The message went to another receiver because its lease ran out.',
  ),
  CLOUD_AUTH: kind(
    502,
    EXIT.notAuthorised,
    false,
    'A cloud does not know our credentials, or they lack a right; the message names the action to allow.',
  ),
  CLOUD_QUOTA: kind(
    502,
    EXIT.failed,
    false,
    'A limit of the cloud account is reached; the message names it. Raise it, or make room.',
  ),
  THROTTLED: kind(503, EXIT.failed, true, 'A cloud asks for fewer requests; it is tried again more slowly.'),
  UNAVAILABLE: kind(503, EXIT.failed, true, 'A queue or store cannot be reached; it is tried again.'),
  INTERNAL: kind(500, EXIT.failed, false, 'A defect in Clobi. The log has the details; please report it.'),
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof ERROR_KINDS;

export class ClobiError extends Error {
  readonly code: ErrorCode;
  readonly context: Readonly<Record<string, unknown>>;

  constructor(
    code: ErrorCode,
    message: string,
    options: { context?: Record<string, unknown>; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'ClobiError';
    this.code = code;
    this.context = options.context ?? {};
  }

  get kind(): ErrorKind {
    return ERROR_KINDS[this.code];
  }
  get retryable(): boolean {
    return this.kind.retryable;
  }
}

export const isCode = (error: unknown, code: ErrorCode): boolean =>
  error instanceof ClobiError && error.code === code;

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
