import { fileURLToPath } from 'node:url';
import { formatCloudUrl } from '../../shared/providers/url.ts';
import { temporaryDirectory } from '../../shared/temporary.ts';
import { waitFor } from '../../shared/wait.ts';
import { freePort, startDaemon } from './daemon.ts';

/** An emulated SQS and S3. It checks no credentials; its S3 knows no conditions. */
export interface Fauxqs extends AsyncDisposable {
  endpoint: string;
  /** Credentials, as the standard chain finds them in the environment. Any would do. */
  env: Record<string, string>;
  queueUrl(name: string): string;
  storeUrl(bucket: string, prefix?: string): string;
  kill(): Promise<void>;
  /** Starts it again at the same port with what was in it, when it was started with `durable`. */
  restart(): Promise<void>;
}

const FAUXQS_REGION = 'us-east-1';

const SERVER = fileURLToPath(new URL('./server.js', import.meta.resolve('fauxqs')));

/** With `durable` what it holds survives `kill`. */
export async function startFauxqs({ durable = false } = {}): Promise<Fauxqs> {
  const directory = await temporaryDirectory();
  const port = await freePort();
  const endpoint = `http://127.0.0.1:${port}`;
  const start = async () => {
    const daemon = startDaemon([process.execPath, SERVER], {
      FAUXQS_PORT: String(port),
      FAUXQS_LOGGER: 'false',
      FAUXQS_DEFAULT_REGION: FAUXQS_REGION,
      ...(durable ? { FAUXQS_DATA_DIR: directory.path, FAUXQS_PERSISTENCE: 'true' } : {}),
    });
    await waitFor('fauxqs answers', async () => {
      if (!daemon.isAlive()) throw new Error(`fauxqs ended: ${daemon.output()}`);
      return fetch(`${endpoint}/health`).then(
        ({ ok }) => ok,
        () => false,
      );
    });
    return daemon;
  };
  let daemon = await start();
  return {
    endpoint,
    env: {
      AWS_ACCESS_KEY_ID: 'emulated',
      AWS_SECRET_ACCESS_KEY: 'emulated',
      AWS_EC2_METADATA_DISABLED: 'true',
    },
    queueUrl: (name) => formatCloudUrl({ kind: 'sqs', host: FAUXQS_REGION, path: name, endpoint }),
    storeUrl: (bucket, prefix = '') =>
      formatCloudUrl({ kind: 's3', host: bucket, path: prefix, endpoint, region: FAUXQS_REGION }),
    kill: () => daemon.kill(),
    restart: async () => {
      await daemon.kill();
      daemon = await start();
    },
    [Symbol.asyncDispose]: async () => {
      await daemon.kill();
      await directory[Symbol.asyncDispose]();
    },
  };
}
