import type { JobView } from './api.ts';
import { plural, type Reason } from './explain-pools.ts';

/** What keeps the files of finished tasks from the place that the job names. */
export function publishReasons({ publish }: Pick<JobView, 'publish'>): Reason[] {
  if (publish === undefined || publish.waiting === 0) return [];
  const { to, waiting, failure } = publish;
  if (failure === null)
    return [
      { code: 'publishing', text: `The outputs of ${plural(waiting, 'task')} are on the way to ${to}.` },
    ];
  const { tasks, index, message, tries, nextTryAt } = failure;
  const why = message.trimEnd().replace(/\.$/, '');
  const again = `It was tried ${plural(tries, 'time')} and is tried again at ${new Date(nextTryAt).toISOString()}; "clobi job publish" tries at once, or gives up.`;
  return [
    {
      code: 'publish-failed',
      text: `The outputs of ${plural(tasks, 'task')} could not be put to ${to}, e.g. those of task ${index}: ${why}. ${again}`,
    },
  ];
}
