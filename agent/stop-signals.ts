/** How an agent is asked to go: finish what runs, or leave at once. */
export interface StopSignals {
  /** Take nothing more, hand back what has not begun, finish what runs, go. */
  drain: AbortSignal;
  /** Kill what runs and go. */
  now: AbortSignal;
  /** No longer listens. */
  dispose(): void;
}

/** One key press may arrive twice: from the terminal, and passed on by the program that started us. */
const SAME_REQUEST_MS = 500;

/**
 * The first SIGTERM or SIGINT asks to drain, the second to leave at once. With CLOBI_EXIT_WITH_PARENT=1 the end of standard input
 * says that the process that started us is gone, and nobody is left to send a signal.
 */
export function watchStopSignals(): StopSignals {
  const drain = new AbortController();
  const now = new AbortController();
  let firstAt: number | undefined;
  const onSignal = (): void => {
    if (firstAt === undefined) firstAt = performance.now();
    else if (performance.now() - firstAt > SAME_REQUEST_MS) now.abort();
    drain.abort();
  };
  const onParentGone = (): void => {
    now.abort();
    drain.abort();
  };
  const withParent = process.env['CLOBI_EXIT_WITH_PARENT'] === '1';
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal);
  if (withParent)
    process.stdin.on('end', onParentGone).on('close', onParentGone).on('error', onParentGone).resume();
  const dispose = (): void => {
    process.off('SIGTERM', onSignal).off('SIGINT', onSignal);
    if (!withParent) return;
    process.stdin.off('end', onParentGone).off('close', onParentGone).off('error', onParentGone).pause();
    process.stdin.unref();
  };
  return { drain: drain.signal, now: now.signal, dispose };
}

/** Both to obey: each part aborts when that part of either does; `now` implies `drain`. */
export function joinStops(
  one: Pick<StopSignals, 'drain' | 'now'>,
  other: { drain?: AbortSignal | undefined; now?: AbortSignal | undefined },
): Pick<StopSignals, 'drain' | 'now'> {
  const now = AbortSignal.any([one.now, ...(other.now === undefined ? [] : [other.now])]);
  const drain = AbortSignal.any([one.drain, now, ...(other.drain === undefined ? [] : [other.drain])]);
  return { drain, now };
}
