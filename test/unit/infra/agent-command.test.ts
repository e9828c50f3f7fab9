import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RunAgentOptions } from '../../../agent/main.ts';
import { type AgentCommand, HELP, parseAgentCommand, runAgentCommand } from '../../../infra/agent-command.ts';
import { ClobiError, isCode } from '../../../shared/errors.ts';

/** What the command was asked to run and what it said. */
async function runWith(args: readonly string[], fail?: Error) {
  const seen = { commands: [] as RunAgentOptions[], stdout: '', stderr: '' };
  const code = await runAgentCommand(
    args,
    async (command) => {
      seen.commands.push(command);
      if (fail !== undefined) throw fail;
    },
    {
      stdout: { write: (text) => (seen.stdout += text) },
      stderr: { write: (text) => (seen.stderr += text) },
    },
  );
  return { code, ...seen };
}

test('every option reaches the agent under the name that it takes', () => {
  const args =
    '--pool big --home /h --config /c.json --name one --slots 4 --cpus 1.5 --memory 8GiB --gpus 2 --disk 1GiB --label a=1 --label b=x=y';
  const expected: AgentCommand & RunAgentOptions = {
    pool: 'big',
    home: '/h',
    configFile: '/c.json',
    name: 'one',
    slots: 4,
    cpus: 1.5,
    memoryBytes: 8 * 2 ** 30,
    gpus: 2,
    diskBytes: 2 ** 30,
    labels: { a: '1', b: 'x=y' },
  };
  assert.deepEqual(parseAgentCommand(args.split(' ')), expected);
});

test('what is not said is left to the agent', () => {
  assert.deepEqual(parseAgentCommand(['--pool', 'local']), { pool: 'local' });
});

test('the help names every option and starts nothing', async () => {
  const { code, stdout, stderr, commands } = await runWith(['--help']);
  assert.deepEqual({ code, stdout, stderr, commands }, { code: 0, stdout: HELP, stderr: '', commands: [] });
  for (const option of ['pool', 'home', 'config', 'name', 'slots', 'cpus', 'memory', 'gpus', 'disk', 'label'])
    assert.ok(HELP.includes(`--${option} `), option);
});

const WRONG: readonly (readonly [args: string, said: RegExp])[] = [
  ['', /--pool is missing/],
  ['--pool', /--pool/],
  ['--pool local --slotz 2', /--slotz/],
  ['--pool local more', /more/],
  ['--pool local --slots many', /--slots "many" is no number/],
  ['--pool local --cpus=', /--cpus "" is no number/],
  ['--pool local --gpus Infinity', /--gpus "Infinity" is no number/],
  ['--pool local --memory 8G', /--memory .*8GiB/],
  ['--pool local --disk 8G', /--disk .*8GiB/],
  ['--pool local --label gpu', /--label "gpu" .*KEY=VALUE/],
  ['--pool local --label =x', /--label "=x" .*KEY=VALUE/],
];
for (const [args, said] of WRONG) {
  test(`a wrong command line is told and exits with 2: ${JSON.stringify(args)}`, async () => {
    const words = args.split(' ').filter((word) => word !== '');
    assert.throws(
      () => parseAgentCommand(words),
      (error) => isCode(error, 'USAGE'),
    );
    const { code, stderr, commands } = await runWith(words);
    assert.equal(code, 2);
    assert.match(stderr, said);
    assert.match(stderr, /^clobi-agent: .*--help/);
    assert.deepEqual(commands, []);
  });
}

test('the exit code follows from why the agent could not run', async () => {
  const args = ['--pool', 'local'];
  const expected = await runWith(args, new ClobiError('NOT_FOUND', 'no such pool'));
  assert.deepEqual([expected.code, expected.stderr], [3, 'clobi-agent: no such pool\n']);
  const defect = await runWith(args, new TypeError('boom'));
  assert.equal(defect.code, 1);
  assert.match(defect.stderr, /boom\n\s+at /);
});
