import { ClobiError, messageOf } from '../../errors.ts';

/** An error of the file system below `root` → `UNAVAILABLE`; any other, also of a file to be uploaded, stays what it is. */
export function storeError(root: string, error: unknown): unknown {
  const { code, path } = error as NodeJS.ErrnoException;
  const isSystem = error instanceof Error && !(error instanceof ClobiError) && typeof code === 'string';
  if (!isSystem || (path !== undefined && !path.startsWith(root))) return error;
  return new ClobiError('UNAVAILABLE', `The store "${root}" cannot be used: ${messageOf(error)}.`, {
    context: { path: root },
    cause: error,
  });
}
