#!/usr/bin/env node
// Plain JavaScript on purpose: an old Node must be able to read this far and be told, or be replaced.
import { existsSync } from 'node:fs';
import * as nodeModule from 'node:module';
import { constants } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const OLDEST = [22, 18];

const isNewEnough = (version) => {
  const [major, minor] = version.split('.').map(Number);
  return major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]);
};

/** The Node that `npm ci` has put beside Clobi: as its own platform package, or by the `node` package. */
function findOwnNode() {
  const modules = fileURLToPath(new URL('../../node_modules', import.meta.url));
  return [
    join(modules, `node-${process.platform}-${process.arch}`, 'bin', 'node'),
    join(modules, '.bin', 'node'),
  ].find(existsSync);
}

/** Hands over to another Node with the same arguments: its exit is ours, and signals go through to it. */
async function continueWith(node) {
  const { spawn } = await import('node:child_process');
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: { ...process.env, CLOBI_REEXECUTED: '1' },
  });
  for (const signal of ['SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'])
    process.on(signal, () => child.kill(signal));
  // A Ctrl-C reaches the whole process group already; from elsewhere it must be passed on.
  process.on('SIGINT', () => !process.stdin.isTTY && child.kill('SIGINT'));
  child.on('error', (error) => fail(`Cannot start ${node}: ${error.message}`));
  child.on('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));
}

function fail(message) {
  process.stderr.write(`clobi: ${message}\n`);
  process.exit(1);
}

if (isNewEnough(process.versions.node)) {
  nodeModule.enableCompileCache();
  const { main } = await import('./main.ts');
  await main(process.argv.slice(2));
} else {
  const own = process.env.CLOBI_REEXECUTED === '1' ? undefined : findOwnNode();
  if (own === undefined) {
    fail(
      `Node ${process.versions.node} is too old; Clobi needs ${OLDEST.join('.')} or newer. Run "npm ci" in Clobi's directory, which brings one along, or install Node 24.`,
    );
  } else {
    await continueWith(own);
  }
}
