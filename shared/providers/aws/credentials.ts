import { ClobiError } from '../../errors.ts';

/** Keys, and when they end if they do. */
interface Identity {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
  expiration?: Date;
}
type Provider = () => Promise<Identity>;

/** The metadata services answer in milliseconds or not at all. */
const METADATA = { timeout: 1_000, maxRetries: 2 };

/**
 * What `credentials=` may be for AWS:
 *
 *   default        the SDK's standard chain: environment, shared files, SSO, container, instance
 *   env            AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN
 *   profile:NAME   a profile of ~/.aws, with all it may say: keys, SSO, a role to assume, a program to ask
 *   container      the endpoint that ECS and EKS give their containers
 *   instance       the metadata service of EC2, and nothing else
 *
 * Undefined for `default`. The client keeps what the provider gives and asks again some minutes before it expires.
 */
export function credentialsProvider(name: string): Provider | undefined {
  const profile = /^profile:(.+)$/.exec(name)?.[1];
  if (profile !== undefined) return lazily(async () => (await providers()).fromIni({ profile }));
  switch (name) {
    case 'default':
      return undefined;
    case 'env':
      return lazily(async () => (await providers()).fromEnv());
    case 'container':
      return lazily(async () => (await providers()).fromHttp(METADATA));
    case 'instance':
      return lazily(async () => (await providers()).fromInstanceMetadata(METADATA));
    default:
      throw new ClobiError(
        'INVALID_CONFIG',
        `credentials=${name} is unknown for AWS. Known: default, env, profile:NAME, container, instance.`,
      );
  }
}

const providers = async () => import('@aws-sdk/credential-providers');

/** One provider for as long as the process lives: it may remember what it was given. */
function lazily(make: () => Promise<Provider>): Provider {
  let made: Promise<Provider> | undefined;
  return async () => (await (made ??= make()))();
}
