import { EXIT } from '../../../shared/errors.ts';
import type { Context } from '../context.ts';
import { examine, type Finding } from '../doctor.ts';
import type { ListView } from '../output/output.ts';
import { dash } from '../output/text.ts';
import { readVersion } from '../version.ts';

export async function run(context: Context): Promise<number> {
  const findings = await examine({ home: context.home, client: context.client(), version: readVersion() });
  await context.output.list(findings, findingList);
  const failed = findings.filter((finding) => finding.status === 'failed').length;
  context.output.note(
    failed === 0
      ? 'Nothing is wrong.'
      : `${failed} of ${findings.length} checks failed; the last column says what to do.`,
  );
  return failed === 0 ? EXIT.ok : EXIT.failed;
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
