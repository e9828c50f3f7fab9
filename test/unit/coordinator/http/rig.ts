import { buildServer } from '../../../../coordinator/http/server.ts';
import { makeServices } from '../../../../coordinator/services/all.ts';
import { Follows } from '../../../../coordinator/services/follows.ts';
import { listenOn } from '../../../../coordinator/services/listen.ts';
import { Submitter } from '../../../../coordinator/services/submitter.ts';
import type { ObjectStore } from '../../../../shared/providers/ports.ts';
import { newKeyPair } from '../../../../shared/wire/signature.ts';
import { makeRig, type Rig } from '../services/rig.ts';

export const TOKEN = 'a-token-for-tests';
const keys = newKeyPair();

/** Whatever the calls of these tests answer; each test knows which fields are there. */
interface Answer {
  job: string;
  id: string;
  state: string;
  movedTo: string | null;
  epoch: number;
  summary: string;
  cancelled: number;
  cancelReason: string;
  retriedBy: string[];
  missing: string[];
  outputs: { key: string }[];
  resources: { cpus: number };
  error: { code: string; message: string; context: { problems: string[] } };
}

export interface Api extends AsyncDisposable {
  rig: Rig;
  url: string;
  call: (
    method: string,
    path: string,
    body?: unknown,
  ) => Promise<{ status: number; json: Answer; text: string; headers: Headers }>;
}

/** `store`: a primary store other than files. */
export async function openApi(
  options: { clouds?: readonly string[]; store?: ObjectStore } = {},
): Promise<Api> {
  const rig = await makeRig({}, options);
  const context = { ...rig.context, store: options.store ?? rig.context.store };
  const follows = new Follows(context.clock, context.signals);
  const services = makeServices(context, { privateKey: keys.privateKey, follows });
  for (const service of services) service.start();
  const app = await buildServer({
    ...context,
    submitter: new Submitter(context),
    follows,
    token: TOKEN,
    startedAt: 1,
    version: '0',
  });
  const url = await listenOn(app, '127.0.0.1:0');
  return {
    rig,
    url,
    async call(method, path, body) {
      const headers = {
        authorization: `Bearer ${TOKEN}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      };
      const response = await fetch(url + path, {
        method,
        headers,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      const isJson = response.headers.get('content-type')?.includes('application/json') === true;
      return {
        status: response.status,
        json: (isJson ? JSON.parse(text) : {}) as Answer,
        text,
        headers: response.headers,
      };
    },
    async [Symbol.asyncDispose]() {
      await app.close();
      await Promise.all(services.map((service) => service.stop()));
      await rig[Symbol.asyncDispose]();
    },
  };
}
