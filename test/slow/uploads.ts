/**
 * `npm run test:slow [SIZE] [s3|azblob]`: an input of 6 GiB and one of no bytes go from the submitter straight into the store,
 * to an agent, and come back as outputs. The submitter is killed in mid-upload and the download half way, and both go on where
 * they were. Against Ceph's S3 and Azurite. Not in the gate: it takes minutes and about seven times SIZE on the disk, which is
 * free again when it ends.
 */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, readFile, stat, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import process from 'node:process';
import { startAzurite } from '../../infra/emulators/azurite.ts';
import { startRadosgw } from '../../infra/emulators/radosgw.ts';
import { agentConfigFile } from '../../shared/paths.ts';
import { openManager } from '../../shared/providers/open.ts';
import { formatCloudUrl, parseCloudUrl } from '../../shared/providers/url.ts';
import { formatBytes, parseBytes } from '../../shared/units-of-measure.ts';
import { Cluster } from '../helpers/cluster.ts';
import { FaultProxy } from '../helpers/fault-proxy.ts';
import { Process } from '../helpers/process.ts';
import { temporaryDirectory } from '../helpers/temporary.ts';
import { waitFor } from '../helpers/wait.ts';

const MIB = 1024 * 1024;
const SIZE = parseBytes(process.argv[2] ?? '6GiB');
const CLOUDS = (['s3', 'azblob'] as const).filter((cloud) => (process.argv[3] ?? cloud) === cloud);
/** The file, and copies of it: as an input in the store, at the agent, as its output, as one in the store, and brought back. */
const COPIES = 7;
const LONGEST_MS = 3_600_000;

interface Store extends AsyncDisposable {
  env: Readonly<Record<string, string>>;
  url: string;
}

async function startStore(cloud: (typeof CLOUDS)[number]): Promise<Store> {
  const server = await (cloud === 'azblob' ? startAzurite() : startRadosgw({ diskBytes: 4 * SIZE }));
  const dispose = (): PromiseLike<void> => server[Symbol.asyncDispose]();
  return { env: server.env, url: server.storeUrl('slow'), [Symbol.asyncDispose]: dispose };
}

/** Parts that went out, by number or name. */
function partOf(url: string): string | undefined {
  const { searchParams } = new URL(url, 'http://store');
  return searchParams.get('partNumber') ?? searchParams.get('blockid') ?? undefined;
}

/** Says what happened, and how long after the last time it did. */
let last = performance.now();
function say(what: string): void {
  const now = performance.now();
  process.stdout.write(`  ${((now - last) / 1_000).toFixed(0).padStart(4)} s  ${what}\n`);
  last = now;
}

async function makeRandom(file: string, sizeBytes: number): Promise<void> {
  const handle = await open(file, 'w');
  for (let left = sizeBytes; left > 0; left -= 4 * MIB)
    await handle.write(randomBytes(Math.min(4 * MIB, left)));
  await handle.close();
}

async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file, { highWaterMark: MIB })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

async function succeeds(child: Process): Promise<string> {
  const { code } = await child.exited;
  assert.equal(code, 0, child.output);
  return child.output;
}

/** Two submits, the first of them killed; the job's id. */
async function uploadTwice(
  clobi: (...args: string[]) => Process,
  proxy: FaultProxy,
  job: string,
): Promise<string> {
  const sent = [new Set<string>(), new Set<string>()] as const;
  let into: Set<string> = sent[0];
  proxy.set(({ method, url }) => {
    const part = method === 'PUT' ? partOf(url) : undefined;
    if (part !== undefined) into.add(part);
    return undefined;
  });
  const doomed = clobi('submit', job);
  await waitFor(
    'a third is on its way',
    () => !doomed.alive || sent[0].size >= SIZE / (3 * 16 * MIB),
    LONGEST_MS,
  );
  await doomed.kill();
  say(
    `submitter killed when ${String(sent[0].size)} parts had been begun; it said: ${lastLine(doomed.output)}`,
  );
  into = sent[1];
  const second = await succeeds(clobi('submit', job));
  const again = [...sent[1]].filter((part) => sent[0].has(part));
  const total = new Set([...sent[0], ...sent[1]]).size;
  say(
    `submitted again: ${String(sent[1].size)} of ${String(total)} parts sent, ${String(again.length)} of them for the second time; it said: ${lastLine(second)}`,
  );
  // At most those that were under way when it was killed.
  assert.ok(again.length <= 8, 'parts that are there are not sent again');
  return /[0-9A-HJKMNP-TV-Z]{26}/.exec(second)?.[0] ?? '';
}

const lastLine = (text: string): string =>
  text
    .trim()
    .split('\n')
    .findLast((line) => /Uploading/.test(line)) ?? '';

const sizeOf = async (directory: string): Promise<number> => {
  const names = await readdir(directory).catch(() => [] as string[]);
  const part = names.find((name) => name.endsWith('.clobi-part'));
  return part === undefined ? 0 : ((await stat(join(directory, part)).catch(() => undefined))?.size ?? 0);
};

/** Two downloads, the first of them killed half way. */
async function downloadTwice(clobi: (...args: string[]) => Process, job: string, to: string): Promise<void> {
  const place = join(to, '0', 'out');
  const doomed = clobi('job', 'outputs', job, '--to', to);
  await waitFor(
    'half of it is here',
    async () => !doomed.alive || (await sizeOf(place)) > SIZE / 2,
    LONGEST_MS,
  );
  await doomed.kill();
  const there = await sizeOf(place);
  say(`download killed with ${formatBytes(there)} here`);
  const second = clobi('job', 'outputs', job, '--to', to);
  let least = Number.POSITIVE_INFINITY;
  await waitFor(
    'the download is over',
    async () => {
      const size = await sizeOf(place);
      if (second.alive && size > 0) least = Math.min(least, size);
      return !second.alive;
    },
    LONGEST_MS,
  );
  await succeeds(second);
  assert.ok(least >= there, 'it went on where it was');
  say(`downloaded the rest of ${formatBytes(SIZE)}`);
}

async function campaign(cloud: (typeof CLOUDS)[number]): Promise<void> {
  process.stdout.write(`${cloud}: ${formatBytes(SIZE)} and 0 bytes\n`);
  await using store = await startStore(cloud);
  await using files = await temporaryDirectory();
  Object.assign(process.env, store.env);
  const manager = await openManager(store.url);
  await manager?.mend((await manager.inspect()).filter(({ mendable }) => mendable));
  const { endpoint = '', ...place } = parseCloudUrl(store.url);
  await using proxy = await FaultProxy.start(endpoint);
  await using cluster = await Cluster.create({}, store.env);
  const through = formatCloudUrl({ ...place, endpoint: proxy.url });
  const settings = { store: through, pools: { cloud: { store: through } } };
  await writeFile(join(cluster.home, 'clobi.yaml'), JSON.stringify(settings));
  const large = join(files.path, 'large ü #1.bin');
  await Promise.all([makeRandom(large, SIZE), writeFile(join(files.path, 'empty'), '')]);
  const wanted = await sha256(large);
  say('files made');

  const job = join(files.path, 'job.yaml');
  const [name, copy] = [basename(large), `mkdir out && cp "${basename(large)}" empty out/`];
  await writeFile(
    job,
    JSON.stringify({
      apiVersion: 'clobi/v1',
      name: 'slow',
      command: ['sh', '-c', copy],
      inputs: [name, 'empty'],
      outputs: ['out/*'],
    }),
  );
  await cluster.startCoordinator();
  const clobi = (...args: string[]): Process =>
    new Process([...args, '--home', cluster.home], { ...store.env });
  const id = await uploadTwice(clobi, proxy, job);
  // The agent's bytes need no counting.
  const config = agentConfigFile(cluster.home, 'cloud');
  const text = (await readFile(config, 'utf8')).replaceAll(new URL(proxy.url).host, new URL(endpoint).host);
  await writeFile(
    config,
    text.replaceAll(encodeURIComponent(new URL(proxy.url).host), encodeURIComponent(new URL(endpoint).host)),
  );
  cluster.startAgent('slow', { pool: 'cloud', slots: 1 });
  assert.equal((await cluster.over(id, LONGEST_MS)).state, 'succeeded');
  say('task has run: both inputs fetched, both outputs in the store');
  const results = join(files.path, 'results');
  await mkdir(results);
  await downloadTwice(clobi, id, results);
  assert.equal(await sha256(join(results, '0', 'out', name)), wanted);
  assert.equal((await stat(join(results, '0', 'out', 'empty'))).size, 0);
  say(`the same SHA-256 as at first, ${wanted.slice(0, 12)}…, and 0 bytes`);
}

const { bavail, bsize } = await statfs(tmpdir());
if (bavail * bsize < COPIES * SIZE) {
  process.stderr.write(
    `${tmpdir()} has ${formatBytes(bavail * bsize)} free, and this needs ${formatBytes(COPIES * SIZE)}.\n`,
  );
  process.exit(1);
}
for (const cloud of CLOUDS) await campaign(cloud);
