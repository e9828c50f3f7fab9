/** pino-roll ships no types; this is the part we use. */
declare module 'pino-roll' {
  import type { DestinationStream } from 'pino';

  interface RollOptions {
    file: string;
    /** Size at which a new file is begun, e.g. `20m`. */
    size: string;
    /** Files kept beside the one being written. */
    limit: { count: number; removeOtherLogFiles: boolean };
    /** Keeps the link `current.log` on the file being written. */
    symlink: boolean;
    mkdir: boolean;
    sync: boolean;
  }
  export default function build(options: RollOptions): Promise<DestinationStream & NodeJS.EventEmitter>;
}
