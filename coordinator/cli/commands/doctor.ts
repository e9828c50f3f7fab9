import { EXIT } from '../../../shared/errors.ts';
import type { Context } from '../context.ts';
import { examine, type Finding } from '../doctor.ts';
import { DETACHED } from '../exit.ts';
import type { ListView } from '../output/output.ts';
import { dash } from '../output/text.ts';
import { readVersion } from '../version.ts';

interface Options {
  live?: string;
}

export async function run(context: Context, _args: readonly string[], { live }: Options): Promise<number> {
  const findings = live === undefined ? await examineAll(context) : await examineLive(context, live);
  await context.output.list(findings, findingList);
  if (live !== undefined && context.interrupted.aborted) {
    context.output.note('Interrupted; what had been made was removed again.');
    return DETACHED;
  }
  const failed = findings.filter((finding) => finding.status === 'failed').length;
  context.output.note(
    failed === 0
      ? 'Nothing is wrong.'
      : `${failed} of ${findings.length} checks failed; the last column says what to do.`,
  );
  return failed === 0 ? EXIT.ok : EXIT.failed;
}

const examineAll = (context: Context): Promise<Finding[]> =>
  examine({ home: context.home, client: context.client(), version: readVersion() });

async function examineLive(context: Context, name: string): Promise<Finding[]> {
  const [{ choosePools, readConfig }, { probePool }] = await Promise.all([
    import('../pool-places.ts'),
    import('../doctor-live.ts'),
  ]);
  const config = readConfig(context.home);
  const [pool] = choosePools(config, [name]);
  if (pool === undefined) return [];
  context.output.note(
    `Trying ${pool.provider} with queues and objects named ${config.ns}-probe-…; they are removed again, also after Ctrl-C.`,
  );
  return probePool(pool, {
    ns: config.ns,
    signal: context.interrupted,
    onProbe: (check) => context.output.note(`  ${check}`),
  });
}

const findingList: ListView<Finding> = {
  name: (finding) => finding.check,
  columns: [
    { title: 'CHECK', text: (finding) => finding.check },
    {
      title: 'STATUS',
      text: (finding) => finding.status,
      colour: (finding, colours) =>
        finding.status === 'ok' ? colours.green : finding.status === 'warning' ? colours.yellow : colours.red,
    },
    { title: 'FOUND', text: (finding) => finding.found },
    { title: 'FIX', text: (finding) => dash(finding.fix) },
  ],
};
