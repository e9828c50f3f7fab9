import { TASK_STATES } from '../../../shared/task-state.ts';
import type { StatusView } from '../../http/api.ts';
import type { Context } from '../context.ts';
import type { RecordView } from '../output/output.ts';
import { formatAge, formatCount, formatTime } from '../output/text.ts';

export async function run(context: Context): Promise<undefined> {
  await context.output.record(await context.client().get<StatusView>('/v1/status'), statusRecord(Date.now()));
}

const statusRecord = (now: number): RecordView<StatusView> => ({
  name: (status) => String(status.pid),
  fields: (status) => [
    ['Version', status.version],
    ['Epoch', String(status.epoch)],
    ['Started', `${formatTime(status.startedAt)} (${formatAge(status.startedAt, now)} ago)`],
    ['Process', String(status.pid)],
    ['Home', status.home],
    ['Jobs', formatCount(status.jobs)],
    ...TASK_STATES.filter((state) => status.tasks[state] > 0).map(
      (state) => [`Tasks ${state}`, formatCount(status.tasks[state])] as const,
    ),
  ],
});
