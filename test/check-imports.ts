/** The import rules of the architecture, by dependency-cruiser; fails too when it read no modules (a broken set-up passes all rules). */
import { cruise } from 'dependency-cruiser';
import { forbidden } from './import-rules.ts';

const { output } = await cruise(['shared', 'coordinator', 'agent', 'infra'], {
  validate: true,
  ruleSet: { forbidden },
  tsPreCompilationDeps: true,
  doNotFollow: { path: 'node_modules' },
  enhancedResolveOptions: { extensions: ['.ts', '.mjs', '.js'] },
});
if (typeof output === 'string') throw new Error('dependency-cruiser gave text in place of a result');
for (const { rule, from, to } of output.summary.violations) {
  process.stderr.write(`${rule.name}: ${from} → ${to}\n`);
}
const modules = output.modules.filter((module) => !module.source.includes('node_modules'));
const edges = modules.reduce((sum, module) => sum + module.dependencies.length, 0);
process.stdout.write(
  `imports: ${String(modules.length)} modules and ${String(edges)} imports read, ${String(output.summary.violations.length)} against the rules\n`,
);
process.exitCode = modules.length < 20 || edges < 50 || output.summary.error > 0 ? 1 : 0;
