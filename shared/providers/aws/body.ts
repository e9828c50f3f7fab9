import { Readable, Transform } from 'node:stream';
import { ClobiError } from '../../errors.ts';

/**
 * The content of an object as it comes: ends well only after `expectedBytes`; whatever else happens to the connection is
 * an error, as `translate` makes it.
 */
export function wholeBody(
  source: unknown,
  expectedBytes: number | undefined,
  translate: (error: unknown) => ClobiError,
): Readable {
  if (!(source instanceof Readable)) return Readable.from([]);
  let seen = 0;
  const cut = (): ClobiError =>
    new ClobiError('UNAVAILABLE', `The download ended after ${seen} of ${String(expectedBytes)} bytes.`);
  const body = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      seen += chunk.length;
      done(null, chunk);
    },
    flush(done) {
      done(expectedBytes === undefined || seen === expectedBytes ? null : cut());
    },
  });
  source.on('error', (error) => body.destroy(translate(error)));
  source.on('close', () => {
    if (!source.readableEnded && !body.destroyed) body.destroy(cut());
  });
  body.on('close', () => source.destroy());
  // It may break before its reader listens, who then hears of it when he reads.
  body.on('error', () => undefined);
  return source.pipe(body);
}
