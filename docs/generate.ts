/**
 * Writes the documents that are made from the code: errors.md, config.md, job.schema.json. With `--check` it writes nothing and
 * exits 1 when one of them is out of date.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { AWS_SOURCES, AZURE_SOURCES } from '../coordinator/config-places.ts';
import { SETTINGS } from '../coordinator/config-settings.ts';
import { CLOUD_QUEUE_TIMING, CLOUD_STORE_TIMING, TIMING_KEYS } from '../coordinator/config-timing.ts';
import { ERROR_KINDS, EXIT } from '../shared/errors.ts';
import { jobFileJsonSchema } from '../shared/job-file/json-schema.ts';
import { formatDuration } from '../shared/units-of-measure.ts';

const cell = (text: string): string => text.replaceAll('|', '\\|');

function errorsPage(): string {
  const kinds = Object.entries(ERROR_KINDS).map(
    ([code, kind]) =>
      `| \`${code}\` | ${String(kind.exitCode)} | ${String(kind.httpStatus)} | ${kind.retryable ? 'yes' : 'no'} | ${cell(kind.meaning)} |`,
  );
  const exits = Object.entries(EXIT).map(([name, code]) => `| ${String(code)} | ${name} |`);
  return [
    '# Errors',
    '',
    'Every error has a code. The CLI prints its message and ends with its exit code; the API answers with its status and',
    '`{"error": {"code", "message", "context"}}`.',
    '',
    '| code | exit | status | try again | meaning |',
    '|---|---|---|---|---|',
    ...kinds,
    '',
    '## Exit codes',
    '',
    '| code | meaning |',
    '|---|---|',
    ...exits,
    '| 130 | interrupted; a watched job goes on |',
    '',
  ].join('\n');
}

function configPage(): string {
  const rows = Object.entries(SETTINGS).map(([name, setting]) => {
    const bounds =
      setting.kind === 'text'
        ? setting.expected
        : `${formatDuration(setting.minMs)} to ${formatDuration(setting.maxMs)}${setting.off ? ', or `off`' : ''}`;
    return `| \`${name}\` | \`${setting.default}\` | ${cell(bounds)} | ${cell(setting.meaning)} |`;
  });
  return [
    '# Settings of the coordinator',
    '',
    'From weakest to strongest: the default, the file `clobi.yaml` in the home directory, the environment variable',
    '`CLOBI_<NAME>` in capitals with underscores, `--set NAME=VALUE` of `clobi coordinator start` (`--listen` and `--log-level` have flags',
    'of their own). All that is wrong is refused at the start in one go, each with its place and its bounds.',
    '',
    '| setting | default | bounds | meaning |',
    '|---|---|---|---|',
    ...rows,
    '',
    ...poolsSection(),
    '## Where things live',
    '',
    '`--home DIR`, else `CLOBI_HOME`, else `$XDG_STATE_HOME/clobi`, else `~/.local/state/clobi`.',
    '',
    '```',
    'coordinator/   state.sqlite  token  signing-key.pem  endpoint.json  logs/',
    'pools/<pool>/agent.json      what an agent of the pool must know (no secret)',
    'queues/        queues of local pools',
    'store/         the local object store',
    'agents/<pool>/<agent>/       an agent’s work directories and input cache',
    '```',
    '',
  ].join('\n');
}

function poolsSection(): string[] {
  const times = TIMING_KEYS.map((key) => {
    const cloud = CLOUD_QUEUE_TIMING[key] ?? CLOUD_STORE_TIMING[key];
    return `| \`${key}\` | \`${SETTINGS[key].default}\` | \`${formatDuration(cloud ?? 0)}\` |`;
  });
  return [
    '## Pools and stores',
    '',
    'Each pool names its queue and its store; any queue goes with any store. Without `pools:` there is one, `local`. No secret stands',
    'in this file, in a URL, or in what agents get: `credentials` names where they come from.',
    '',
    '```yaml',
    'store: s3://my-bucket/clobi?region=eu-central-1   # primary store: job files, inputs, verdicts (default: store/ in the home directory)',
    'pools:',
    '  local:                       # queue: local, and the primary store',
    '    labels: { disk: ssd }      # what `placement.labels` of a job is compared with',
    '  aws:',
    '    queue: sqs                 # or { kind: sqs, region, endpoint, credentials }',
    '    store: s3://my-bucket/clobi?region=eu-central-1',
    '    region: eu-central-1',
    '    archs: [x64]               # default: whatever its agents say',
    '    agentCredentials: instance # what its agents use (default: `default`)',
    '    price: 0.04                # USD for a cpu for an hour: decides between pools that would be done at the same time',
    '  azure:',
    '    queue: { kind: azure-queue, account: acme, credentials: cli }',
    '    store: { url: azblob://acme/clobi/results, credentials: cli }',
    '    agentCredentials: managed  # or { queue: managed, store: env } where the store is of another cloud',
    '    lease: 5m                  # times of its own',
    '```',
    '',
    '| store | where |',
    '|---|---|',
    '| `file:PATH` | a directory; a relative path starts at the home directory |',
    '| `s3://BUCKET/PREFIX` | S3, or with `endpoint` any server that speaks its protocol |',
    '| `azblob://ACCOUNT/CONTAINER/PREFIX` | Azure Blob |',
    '',
    'A store is a URL with `?endpoint=`, `?region=`, `?credentials=` as needed, or a map of `url` and these. The queue of an Azure pool',
    'whose store is in Azure takes the account from there; `region` of an SQS queue is that of its pool.',
    '',
    '| cloud | `credentials` and `agentCredentials` |',
    '|---|---|',
    `| AWS | ${AWS_SOURCES} |`,
    `| Azure | ${AZURE_SOURCES} |`,
    '',
    'Times that a pool may have of its own. Where neither it nor the settings above give one, the default depends on what it uses, since',
    'clouds bill every request:',
    '',
    '| time | local | queue or store of a cloud |',
    '|---|---|---|',
    ...times,
    '',
  ];
}

const documents: Record<string, string> = {
  'errors.md': errorsPage(),
  'config.md': configPage(),
  'job.schema.json': `${JSON.stringify(jobFileJsonSchema(), null, 2)}\n`,
};
const check = process.argv.includes('--check');
for (const [name, wanted] of Object.entries(documents)) {
  const file = join(import.meta.dirname, name);
  if (!check) writeFileSync(file, wanted);
  else if (readFileSync(file, 'utf8') !== wanted) {
    process.stderr.write(`docs/${name} is out of date: run \`npm run docs\`\n`);
    process.exitCode = 1;
  }
}
