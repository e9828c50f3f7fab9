/** What asks this process to stop, as one promise. */
export interface StopWatch {
  /** Resolves when somebody asks. */
  asked: Promise<void>;
  reason(): string;
  /** Asks from within. */
  stop(why: Error): void;
  dispose(): void;
}

/** SIGTERM, SIGINT, the given signal, or with CLOBI_EXIT_WITH_PARENT=1 the end of standard input. */
export function watchStop(signal: AbortSignal | undefined): StopWatch {
  let why = '';
  let resolve: () => void = () => undefined;
  const asked = new Promise<void>((done) => {
    resolve = done;
  });
  const stop = (reason: string): void => {
    if (why === '') why = reason;
    resolve();
  };
  const onSignal = (name: NodeJS.Signals): void => stop(name);
  const onAbort = (): void => stop('asked by the program');
  const onParentGone = (): void => stop('the parent process is gone');
  const withParent = process.env['CLOBI_EXIT_WITH_PARENT'] === '1';
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal);
  if (withParent)
    process.stdin.on('end', onParentGone).on('close', onParentGone).on('error', onParentGone).resume();
  if (signal?.aborted === true) onAbort();
  signal?.addEventListener('abort', onAbort, { once: true });
  return {
    asked,
    reason: () => why,
    stop: (error) => stop(error.message),
    dispose() {
      process.off('SIGTERM', onSignal).off('SIGINT', onSignal);
      signal?.removeEventListener('abort', onAbort);
      if (!withParent) return;
      process.stdin.off('end', onParentGone).off('close', onParentGone).off('error', onParentGone).pause();
      process.stdin.unref();
    },
  };
}
