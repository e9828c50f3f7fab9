import { ClobiError, type ErrorCode } from '../errors.ts';

/**
 * What kind of trouble a provider is in: the one classification above all adapters (each turns what its SDK throws into a
 * `ClobiError` and keeps it as the cause). `auth` and `quota` are a person's to mend: asking again brings nothing.
 */
export type Trouble = 'auth' | 'quota' | 'throttled' | 'not-found' | 'unreachable' | 'bug';

const TROUBLES: Readonly<Partial<Record<ErrorCode, Trouble>>> = {
  CLOUD_AUTH: 'auth',
  CLOUD_QUOTA: 'quota',
  THROTTLED: 'throttled',
  NOT_FOUND: 'not-found',
  UNAVAILABLE: 'unreachable',
  TIMED_OUT: 'unreachable',
};

export const troubleOf = (error: unknown): Trouble =>
  error instanceof ClobiError ? (TROUBLES[error.code] ?? 'bug') : 'bug';

/** Worth asking again later, without anybody doing anything. */
export const passes = (trouble: Trouble): boolean => trouble === 'throttled' || trouble === 'unreachable';
