import { existsSync } from 'node:fs';

const LIBRARIES = ['x86_64', 'aarch64'].map((arch) => `/usr/lib/${arch}-linux-gnu/faketime/libfaketime.so.1`);

/** The environment of a process whose wall clock is off by so many minutes, by libfaketime (Debian package `faketime`). */
export function skewedClock(minutes: number): Record<string, string> {
  const library = LIBRARIES.find(existsSync);
  if (library === undefined) throw new Error('libfaketime is missing: apt-get install faketime');
  return {
    LD_PRELOAD: library,
    FAKETIME: `${minutes < 0 ? '-' : '+'}${Math.abs(minutes)}m`,
    // Time that passes is told by the monotonic clock, which no wrong date changes.
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  };
}
