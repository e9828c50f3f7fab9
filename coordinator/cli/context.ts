import { homeDirectory } from '../../shared/paths.ts';
import { Client } from './client.ts';
import { DETACHED } from './exit.ts';
import { type Format, Output } from './output/output.ts';

/** What every command gets: where things are, where to print, and whom to ask. */
export interface Context {
  readonly home: string;
  /** What --home said, and nothing else. */
  readonly givenHome: string | undefined;
  readonly output: Output;
  /** What stands after `--`; undefined without one. */
  readonly afterDashes: readonly string[] | undefined;
  /** Aborts at the first Ctrl-C; a second one ends the process. */
  readonly interrupted: AbortSignal;
  client(patienceMs?: number): Client;
}

export interface GlobalOptions {
  format?: Format;
  quiet?: boolean;
  home?: string;
}

/** How long a command that only looks on waits for a coordinator that is being started again. */
export const WATCH_PATIENCE_MS = 30_000;

export function createContext(global: GlobalOptions, argv: readonly string[]): Context {
  const home = homeDirectory(global.home);
  const dashes = argv.indexOf('--');
  return {
    home,
    givenHome: global.home === undefined ? undefined : home,
    output: new Output(global),
    afterDashes: dashes < 0 ? undefined : argv.slice(dashes + 1),
    get interrupted() {
      return catchInterrupt();
    },
    client: (patienceMs) => new Client({ home, ...(patienceMs !== undefined && { patienceMs }) }),
  };
}

let controller: AbortController | undefined;

/** Only commands that ask for it change what Ctrl-C does; the others are ended by it as usual. */
function catchInterrupt(): AbortSignal {
  if (controller === undefined) {
    controller = new AbortController();
    const interrupt = controller;
    // Not `once`: the package that draws progress ends the process when it finds no other listener, and it looks after us.
    process.on('SIGINT', () => (interrupt.signal.aborted ? process.exit(DETACHED) : interrupt.abort()));
  }
  return controller.signal;
}
