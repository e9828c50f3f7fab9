import type { Explanation } from '../../http/api.ts';
import type { Context } from '../context.ts';
import { parseJobOrTask } from '../ids.ts';
import { escapeCell } from '../output/escape.ts';
import type { RecordView } from '../output/output.ts';
import { formatSpan } from '../output/text.ts';

export async function run(context: Context, args: readonly string[]): Promise<undefined> {
  const { job, index } = parseJobOrTask(args[0] ?? '');
  const path = index === undefined ? `/v1/jobs/${job}/explain` : `/v1/jobs/${job}/tasks/${index}/explain`;
  const explanation = await context.client().get<Explanation>(path);
  await context.output.record(explanation, explanationRecord(Date.now()));
}

const explanationRecord = (now: number): RecordView<Explanation> => ({
  name: (explanation) => explanation.reasons[0]?.code ?? '',
  fields: (explanation) => [
    ['Summary', escapeCell(explanation.summary)],
    ['Because', lines(furtherReasons(explanation).map((reason) => `- ${escapeCell(reason.text)}`))],
    ['Pools', lines(explanation.pools.map(describePool))],
    ['In the queue', explanation.queuePosition === null ? undefined : `number ${explanation.queuePosition}`],
    [
      'Next try',
      explanation.nextTryAt === null ? undefined : `in ${formatSpan(explanation.nextTryAt - now)}`,
    ],
  ],
});

const lines = (texts: readonly string[]): string | undefined =>
  texts.length === 0 ? undefined : texts.join('\n');

/** The summary is the first of them, most often. */
const furtherReasons = ({ summary, reasons }: Explanation): Explanation['reasons'] =>
  reasons.filter(({ text }) => text !== summary);

/** A line for the pool, and one for each requirement that rules it out. */
function describePool(at: Explanation['pools'][number]): string {
  const name = escapeCell(at.pool);
  if (!at.eligible)
    return [`- ${name}: no`, ...at.ruledOutBy.map((rule) => `    ${escapeCell(rule)}`)].join('\n');
  const answer = at.takesWork ? (at.rank === 1 ? 'suits, comes first' : 'suits') : 'suits, but takes no work';
  return `- ${name}: ${answer}: ${escapeCell(at.why)}`;
}
