/**
 * `npm run bundle`: the agent as one file for machines without Clobi's packages, `dist/clobi-agent.mjs` (or the path given as the
 * argument). It needs nothing but Node 22.18 or newer.
 */
import { chmod, stat } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import process from 'node:process';
import { build } from 'esbuild';
import { formatBytes } from '../shared/units-of-measure.ts';

const root = join(import.meta.dirname, '..');

// Text, because a module of infra/ may not import the agent. The process ends itself: once the agent is gone, nothing that an
// abandoned task left open may keep a supervisor from starting the next one.
const ENTRY = `
import { runAgent } from './agent/main.ts';
import { runAgentCommand } from './infra/agent-command.ts';
process.exit(await runAgentCommand(process.argv.slice(2), runAgent));
`;

// Dependencies in CommonJS ask for Node's own modules by \`require\`, which an ES module does not have.
const BANNER = `#!/usr/bin/env node
import { createRequire as createRequireOfBundle } from 'node:module';
const require = createRequireOfBundle(import.meta.url);`;

/** Without code splitting, providers imported on demand lie in the same file and are still evaluated only when they are opened. */
async function bundleAgent(file: string): Promise<void> {
  await build({
    stdin: { contents: ENTRY, loader: 'ts', resolveDir: root, sourcefile: 'clobi-agent.ts' },
    absWorkingDir: root,
    outfile: file,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node22',
    banner: { js: BANNER },
    legalComments: 'eof',
    logLevel: 'warning',
  });
  await chmod(file, 0o755);
}

const file = resolve(process.argv[2] ?? join(root, 'dist', 'clobi-agent.mjs'));
await bundleAgent(file);
const { size } = await stat(file);
process.stdout.write(`${relative(process.cwd(), file)}: ${formatBytes(size)}\n`);
