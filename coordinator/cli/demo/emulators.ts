import { ClobiError, messageOf } from '../../../shared/errors.ts';
import type { Azurite } from '../../../infra/emulators/azurite.ts';
import type { Fauxqs } from '../../../infra/emulators/fauxqs.ts';

/** Emulated AWS and Azure on free ports of this machine. */
export interface Emulators extends AsyncDisposable {
  aws: Fauxqs;
  azure: Azurite;
}

/**
 * Starts both, and puts the credentials that let us in into our environment, where the programs that we start find them, too.
 * Rejects with what to install where the emulators are missing: they come with the development packages only.
 */
export async function startEmulators(): Promise<Emulators> {
  const { startAzurite, startFauxqs } = await load();
  const [aws, azure] = await Promise.all([startFauxqs(), startAzurite()]);
  Object.assign(process.env, aws.env, azure.env);
  return {
    aws,
    azure,
    [Symbol.asyncDispose]: async () => {
      await Promise.all([aws[Symbol.asyncDispose](), azure[Symbol.asyncDispose]()]);
    },
  };
}

async function load() {
  try {
    const [{ startFauxqs }, { startAzurite }] = await Promise.all([
      import('../../../infra/emulators/fauxqs.ts'),
      import('../../../infra/emulators/azurite.ts'),
    ]);
    return { startFauxqs, startAzurite };
  } catch (error) {
    throw new ClobiError(
      'USAGE',
      `The emulators cannot be loaded: ${messageOf(error)}. They come with the development packages: run "npm ci" in a clone.`,
      { cause: error },
    );
  }
}
