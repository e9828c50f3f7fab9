import { DETACHED } from '../exit.ts';

/** Ctrl-C, SIGTERM and SIGHUP of `clobi run`: the first asks to stop cleanly, the second to stop now. */
export interface Interrupts {
  signal: AbortSignal;
  onSecond(hurry: () => void): void;
  dispose(): void;
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export function watchInterrupts(): Interrupts {
  const first = new AbortController();
  let hurry: (() => void) | undefined;
  const onSignal = (): void => {
    // Before there is anything to stop cleanly, nothing is lost by going.
    if (!first.signal.aborted) first.abort();
    else if (hurry === undefined) process.exit(DETACHED);
    else hurry();
  };
  for (const name of SIGNALS) process.on(name, onSignal);
  return {
    signal: first.signal,
    onSecond: (callback) => (hurry = callback),
    dispose: () => {
      for (const name of SIGNALS) process.off(name, onSignal);
    },
  };
}
