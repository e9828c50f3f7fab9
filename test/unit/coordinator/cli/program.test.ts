import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import type { Command } from 'commander';
import { CATALOG } from '../../../../coordinator/cli/catalog/index.ts';
import { completionScript } from '../../../../coordinator/cli/commands/completion.ts';
import { buildProgram } from '../../../../coordinator/cli/program.ts';
import { renderReference } from '../../../../coordinator/cli/reference.ts';
import { CLOBI, clobi } from '../../../helpers/process.ts';
import { temporaryDirectory } from '../../../helpers/temporary.ts';

const execute = promisify(execFile);
const ROOT = join(import.meta.dirname, '..', '..', '..', '..');

function* allCommands(command: Command): Generator<Command> {
  yield command;
  for (const child of command.commands) yield* allCommands(child);
}

/** With what is added before and after. */
function helpOf(command: Command): string {
  let text = '';
  command.configureOutput({ writeOut: (part) => (text += part) });
  command.outputHelp();
  return text;
}

describe('help', () => {
  for (const command of allCommands(buildProgram([]))) {
    test(`of ${command.name()} leads with examples and ends with what is next`, () => {
      const help = helpOf(command);
      assert.match(help, /Examples:\n {2}\$ clobi /);
      assert.ok(help.indexOf('Examples:') < help.indexOf('Usage:'));
      assert.match(help.trimEnd().split('\n\n').at(-1) ?? '', /^Next: /);
    });
  }
  test('every example is a command line that the program takes', () => {
    const commands = [...allCommands(buildProgram([]))].map((command) => command.name());
    for (const entry of CATALOG) {
      for (const [line] of entry.examples) assert.ok(commands.includes(line.split(' ')[0] ?? ''), line);
    }
  });
  test('every command can be loaded', async () => {
    for (const entry of CATALOG) assert.equal(typeof (await entry.load()).run, 'function', entry.path);
  });
});

test('docs/cli.md is up to date; else run `node docs/generate-cli.ts`', async () => {
  assert.equal(await readFile(join(ROOT, 'docs', 'cli.md'), 'utf8'), renderReference());
});

describe('mistakes on the command line end with 2 and say what is near', () => {
  const cases: [string[], RegExp][] = [
    [['frobnicate'], /unknown command/],
    [['sumbit'], /Did you mean submit/],
    [['job', 'shwo'], /Did you mean show/],
    [['ps', '--limt', '3'], /Did you mean --limit/],
    [['ps', '-o', 'xml'], /Allowed choices are table/],
    [['job', 'wait', 'last', '--timeout', '10x'], /--timeout.*not a duration/],
    [['job', 'show'], /missing required argument/],
    [['job', 'show', 'no-such-id!'], /is not a job/],
    [['run'], /clobi init/],
    [['run', '--'], /command after --/],
    [['submit', 'a.yaml', '--', 'true'], /not both/],
    [['submit', 'a.yaml', '--memory', '1GiB'], /write it in the file/],
    [['job', 'move', 'last'], /either --to POOL or --anywhere/],
  ];
  for (const [args, message] of cases) {
    test(args.join(' '), async () => {
      const { code, stdout, stderr } = await clobi(args, { env: { CLOBI_HOME: '/nowhere' } });
      assert.match(stderr, message);
      assert.equal(code, 2);
      assert.equal(stdout, '');
    });
  }
});

test('a command that only asks loads no zod, fastify, SQLite or YAML', async () => {
  const preload = join(ROOT, 'test', 'fixtures', 'cli', 'print-loads.mjs');
  const { code, stderr } = await clobi(['ps'], {
    env: { NODE_OPTIONS: `--import=${preload}`, CLOBI_URL: 'http://127.0.0.1:1', CLOBI_TOKEN: 'x' },
  });
  assert.equal(code, 5);
  const loads = stderr.split('\n').filter((line) => line.startsWith('load '));
  assert.ok(loads.some((line) => line.includes('commander')));
  assert.deepEqual(
    loads.filter((line) =>
      /node_modules\/(zod|fastify|yaml|pino|p-queue|string-width|log-update)\/|sqlite/.test(line),
    ),
    [],
  );
});

describe('completion', () => {
  test('the scripts are there', () => {
    for (const shell of ['bash', 'zsh', 'fish']) assert.match(completionScript(shell), /clobi complete/);
  });
  test('of commands, choices, shells; file names are left to the shell', async () => {
    const offered = async (...words: string[]): Promise<string> =>
      (await clobi(['complete', '--', ...words], { env: { CLOBI_HOME: '/nowhere' } })).stdout;
    assert.match(await offered('job', 'sh'), /^show\t/m);
    assert.match(await offered('ps', '--state', 'fa'), /^failed\t/m);
    assert.match(await offered('completion', ''), /^zsh\t/m);
    assert.match(await offered('job', 'show', ''), /^last\t/m);
    assert.equal(await offered('submit', 'jo'), ':0\n');
    assert.match(await offered('ps', '--format', ''), /^jsonl\t/m);
    assert.match(await offered('ps', '-o', ''), /^jsonl\t/m);
  });
  test('in bash itself, with nothing but bash: commands, choices, file names; nothing typed is run', async () => {
    await using temporary = await temporaryDirectory();
    await writeFile(
      join(temporary.path, 'clobi'),
      `#!/bin/sh\nexec "${process.execPath}" "${CLOBI}" "$@"\n`,
      {
        mode: 0o755,
      },
    );
    await writeFile(join(temporary.path, 'photos.yaml'), '');
    await writeFile(
      join(temporary.path, 'complete.sh'),
      `${completionScript('bash')}
compopt() { echo "$@"; }
offer() { COMP_WORDS=(clobi "$@"); COMP_CWORD=$#; __clobi_complete clobi; echo "\${COMPREPLY[*]}"; }
complete -p clobi
offer jo; offer ps --state fa; offer task show la; offer submit pho; offer job show '$(touch evil)'
`,
    );
    const { stdout, stderr } = await execute('bash', ['--norc', 'complete.sh'], {
      cwd: temporary.path,
      env: { PATH: `${temporary.path}:${process.env['PATH'] ?? ''}`, CLOBI_HOME: '/nowhere' },
    });
    assert.equal(stderr, '');
    assert.deepEqual(stdout.split('\n'), [
      'complete -o default -F __clobi_complete clobi',
      ...['+o default', 'job'],
      ...['+o default', 'failed'],
      ...['-o nospace', '+o default', 'last/'],
      '', // bash's own file names
      ...['+o default', ''],
      '',
    ]);
    assert.deepEqual((await readdir(temporary.path)).sort(), ['clobi', 'complete.sh', 'photos.yaml']);
  });
});

test('version, as a command and as an option', async () => {
  const { stdout } = await clobi(['version', '-o', 'json']);
  const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  assert.equal((JSON.parse(stdout) as { clobi: string }).clobi, version);
  assert.match((await clobi(['--version'])).stdout, new RegExp(version));
});
