import { type CommandEntry, GROUPS, type OptionEntry } from './types.ts';

const SUBMIT_OPTIONS: readonly OptionEntry[] = [
  { flags: '--name <name>', help: 'name of the job, in place of the one in the file' },
  { flags: '--priority <n>', help: 'from -1000 to 1000; higher goes first', value: 'integer' },
  { flags: '--owner <name>', help: 'whose job it is (default: your user name)' },
  { flags: '--label <key=value>', help: 'add a label; may be repeated', value: 'labels' },
];

const INLINE_OPTIONS: readonly OptionEntry[] = [
  {
    flags: '--each-line <file>',
    help: 'one task for every line of the file (- is stdin); {} in the command is the line',
  },
  {
    flags: '--input <path>',
    help: 'file, directory or glob that every task gets; may be repeated',
    value: 'texts',
  },
  { flags: '--output <glob>', help: 'files of the work directory to keep; may be repeated', value: 'texts' },
  { flags: '--cpus <n>', help: 'processors a task uses', value: 'number' },
  { flags: '--memory <size>', help: 'memory a task may use, like 2GiB', value: 'bytes' },
  { flags: '--timeout <time>', help: 'longest run time of a task, like 10m', value: 'duration' },
  { flags: '--retries <n>', help: 'how often a failed task is tried again', value: 'integer' },
];

export const WORK: readonly CommandEntry[] = [
  {
    path: 'run',
    arguments: { '[files...]': 'job files; or the command after --' },
    summary: 'Run a job file or a command on this machine, here and now',
    details:
      'Starts a coordinator and an agent of its own, shows progress, puts results into a directory and stops both again. Its state stays in .clobi/: interrupted and started again with the same arguments it goes on where it was, and tasks that succeeded do not run again. After failures the same command runs only what failed.',
    options: [
      { flags: '--results <dir>', help: 'where results go (default: NAME-results)' },
      { flags: '--slots <n>', help: 'tasks at the same time (default: one a processor)', value: 'count' },
      { flags: '--fresh', help: 'begin anew: forget what ran before' },
      { flags: '--no-logs', help: 'do not save what the tasks print' },
      ...SUBMIT_OPTIONS,
      ...INLINE_OPTIONS,
    ],
    examples: [
      ['run job.yaml', 'every task of the file; results in job-results/'],
      ['run --output name.txt -- sh -c "hostname > name.txt"', 'one command as one task'],
      ['run --each-line urls.txt --output "*.html" -- curl -sSO {}', 'one task a line'],
      ['run --slots 4 --fresh job.yaml', 'begin anew, four tasks at a time'],
    ],
    next: 'Results are in the directory named at the end. Run it again to go on, or to repeat only what failed.',
    group: GROUPS.start,
    load: () => import('../commands/run.ts'),
  },
  {
    path: 'submit',
    arguments: { '[files...]': 'job files; or the command after --' },
    summary: 'Give jobs to the coordinator and print their ids',
    options: [
      { flags: '--wait', help: 'wait until they are over; the exit code tells how they ended' },
      { flags: '--watch', help: 'show progress until they are over' },
      { flags: '--hold', help: 'do not start before "clobi job release"' },
      { flags: '--dry-run', help: 'check and show what would be submitted' },
      { flags: '--idempotency-key <key>', help: 'submitting with the same key again gives the first job' },
      ...SUBMIT_OPTIONS,
      ...INLINE_OPTIONS,
    ],
    examples: [
      ['submit job.yaml', 'prints the job id'],
      ['submit --watch job.yaml', 'and shows progress until it is over'],
      ['submit --dry-run job.yaml', 'only checks it'],
      ['submit --each-line urls.txt -- curl -sSO {}', 'without a file'],
    ],
    next: '"clobi watch last" follows it; "clobi outputs last --to DIR" brings the results.',
    group: GROUPS.start,
    load: () => import('../commands/submit.ts'),
  },
  {
    path: 'ps',
    alsoAt: 'job list',
    summary: 'List jobs, newest first',
    options: [
      { flags: '-a, --all', help: 'also those that are over (default: only when none is open)' },
      {
        flags: '--state <state>',
        help: 'only jobs in this state',
        choices: ['held', 'queued', 'running', 'succeeded', 'failed', 'partial', 'cancelled'],
      },
      { flags: '--label <key=value>', help: 'only jobs with this label' },
      { flags: '--name <name>', help: 'only jobs of this name' },
      { flags: '-n, --limit <n>', help: 'at most so many', value: 'count', default: 50 },
    ],
    examples: [
      ['ps', 'what is going on'],
      ['ps --state failed -o name', 'ids of the failed ones, one a line'],
      ['ps -a -o json', 'for programs'],
    ],
    next: '"clobi job show JOB" tells more of one; "last" is the newest.',
    group: GROUPS.work,
    load: () => import('../commands/ps.ts'),
  },
];
