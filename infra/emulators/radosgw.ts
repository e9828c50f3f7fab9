import { randomUUID } from 'node:crypto';
import { accessSync, constants } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { formatCloudUrl } from '../../shared/providers/url.ts';
import { temporaryDirectory } from '../../shared/temporary.ts';
import { waitFor } from '../../shared/wait.ts';
import { type Daemon, freePort, runCommand, startDaemon } from './daemon.ts';

/** A single-node Ceph with its S3 gateway: another's S3, with signatures, presigned URLs, multipart and lifecycle. */
export interface Radosgw extends AsyncDisposable {
  endpoint: string;
  /** The credentials of its only user. */
  env: Record<string, string>;
  storeUrl(bucket: string, prefix?: string): string;
  /** Another user without a right to anything of the first. */
  addUser(name: string): Promise<Record<string, string>>;
  /** Kills the gateway; what it holds stays. */
  kill(): Promise<void>;
  restart(): Promise<void>;
}

const RADOSGW_REGION = 'us-east-1';

const PROGRAMS = ['radosgw', 'radosgw-admin', 'ceph', 'ceph-mon', 'ceph-osd', 'monmaptool'];

/** Why radosgw cannot be started here; undefined when it can. */
export function missingRadosgw(): string | undefined {
  const missing = PROGRAMS.filter((program) => !isInPath(program));
  if (missing.length === 0) return undefined;
  return `needs ${missing.join(', ')}: apt-get install --no-install-recommends radosgw ceph-mon ceph-osd ceph-mgr`;
}

/**
 * Takes 5 to 15 s on an idle machine. Its objects are in memory, 4 GiB of them at most, or with `diskBytes` in a sparse file
 * of that size; all else is in a temporary directory, too.
 */
export async function startRadosgw({ diskBytes }: { diskBytes?: number } = {}): Promise<Radosgw> {
  const directory = await temporaryDirectory();
  const daemons: Daemon[] = [];
  const dispose = async (): Promise<void> => {
    await Promise.all(daemons.map((daemon) => daemon.kill()));
    await directory[Symbol.asyncDispose]();
  };
  try {
    return await start({ path: directory.path, diskBytes }, daemons, dispose);
  } catch (error) {
    const said = daemons.map((daemon) => daemon.output()).join('\n');
    await dispose();
    throw new Error(`radosgw did not start: ${said}`, { cause: error });
  }
}

interface Room {
  path: string;
  diskBytes: number | undefined;
}

async function start(room: Room, daemons: Daemon[], dispose: () => Promise<void>): Promise<Radosgw> {
  const { path } = room;
  const [monPort, port] = [await freePort(), await freePort()];
  const ceph = { CEPH_CONF: join(path, 'ceph.conf'), CEPH_ARGS: '' };
  const endpoint = `http://127.0.0.1:${port}`;
  await startCluster(room, monPort, { env: ceph, daemons });
  const gateway = async (): Promise<Daemon> => {
    const command = ['radosgw', '-f', '-n', 'client.rgw', `--rgw-data=${path}`];
    const daemon = startDaemon([...command, `--rgw-frontends=beast endpoint=127.0.0.1:${port}`], ceph);
    daemons.push(daemon);
    await waitFor('radosgw answers', () => answers(endpoint, daemon), 120_000);
    return daemon;
  };
  const addUser = async (name: string): Promise<Record<string, string>> => {
    const keys = ['--access-key', `${name}-key`, '--secret-key', `${name}-secret`];
    const user = ['--uid', name, '--display-name', name];
    await runCommand(['radosgw-admin', 'user', 'create', ...user, ...keys], ceph);
    return {
      AWS_ACCESS_KEY_ID: `${name}-key`,
      AWS_SECRET_ACCESS_KEY: `${name}-secret`,
      AWS_EC2_METADATA_DISABLED: 'true',
    };
  };
  const [first, env] = await Promise.all([gateway(), addUser('clobi')]);
  let daemon = first;
  return {
    endpoint,
    env,
    addUser,
    storeUrl: (bucket, prefix = '') =>
      formatCloudUrl({ kind: 's3', host: bucket, path: prefix, endpoint, region: RADOSGW_REGION }),
    kill: () => daemon.kill(),
    restart: async () => {
      await daemon.kill();
      daemon = await gateway();
    },
    [Symbol.asyncDispose]: dispose,
  };
}

/** One monitor and one object server. */
async function startCluster(
  { path, diskBytes }: Room,
  monPort: number,
  { env, daemons }: { env: Record<string, string>; daemons: Daemon[] },
): Promise<void> {
  const [cluster, osd] = [randomUUID(), randomUUID()];
  const monmap = join(path, 'monmap');
  await writeFile(join(path, 'ceph.conf'), configuration(path, cluster, monPort) + objectStore(diskBytes));
  await mkdir(join(path, 'osd'));
  const address = `[v2:127.0.0.1:${monPort}]`;
  await runCommand(['monmaptool', '--create', '--fsid', cluster, '--addv', 'a', address, monmap], env);
  await runCommand(['ceph-mon', '--mkfs', '-i', 'a', '--monmap', monmap], env);
  daemons.push(startDaemon(['ceph-mon', '-f', '-i', 'a'], env));
  await runCommand(['ceph', 'osd', 'new', osd, '0'], env);
  await runCommand(['ceph-osd', '-i', '0', '--mkfs', '--osd-uuid', osd], env);
  await runCommand(['ceph', 'osd', 'crush', 'add', 'osd.0', '1.0', 'host=here', 'root=default'], env);
  daemons.push(startDaemon(['ceph-osd', '-f', '-i', '0'], env));
}

// Without authentication between its parts Ceph must be told not to encrypt either, or they never agree.
const configuration = (path: string, cluster: string, monPort: number): string => `[global]
fsid = ${cluster}
mon host = v2:127.0.0.1:${monPort}
public network = 127.0.0.0/8
auth cluster required = none
auth service required = none
auth client required = none
${['mon client', 'mon service', 'mon cluster', 'client', 'cluster', 'service'].map((mode) => `ms ${mode} mode = crc`).join('\n')}
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd crush chooseleaf type = 0
mon max pg per osd = 1000
mon data avail crit = 1
run dir = ${path}
log file = ${path}/$name.log
admin socket = ${path}/$name.asok
pid file = ${path}/$name.pid
mon data = ${path}/mon
osd data = ${path}/osd
`;

const objectStore = (diskBytes: number | undefined): string =>
  diskBytes === undefined
    ? 'osd objectstore = memstore\nmemstore device bytes = 4294967296\n'
    : `osd objectstore = bluestore\nbluestore block size = ${diskBytes}\nosd memory target = 1073741824\n`;

async function answers(endpoint: string, daemon: Daemon): Promise<boolean> {
  if (!daemon.isAlive()) throw new Error(`radosgw ended: ${daemon.output()}`);
  return fetch(endpoint).then(
    ({ ok }) => ok,
    () => false,
  );
}

function isInPath(program: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
