/**
 * Writes the documents that are made from the code: errors.md, config.md, job.schema.json. With `--check` it writes nothing and
 * exits 1 when one of them is out of date.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { SETTINGS } from '../coordinator/config-settings.ts';
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
    'of their own). A wrong value is refused at the start with its bounds.',
    '',
    '| setting | default | bounds | meaning |',
    '|---|---|---|---|',
    ...rows,
    '',
    '## Pools',
    '',
    '```yaml',
    'pools:',
    '  local:                    # the only pool when none is named',
    '    provider: local',
    '    region: desk            # what `placement.region` of a job is compared with',
    '    labels: { disk: ssd }   # and `placement.labels`',
    '```',
    '',
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
