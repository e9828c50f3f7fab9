import { type CommandEntry, GROUPS } from './types.ts';

const JOB = { '<job>': 'id, beginning of an id, or "last"' };
const JOBS = { '<jobs...>': 'ids, beginnings of ids, or "last"' };
const group = GROUPS.work;

export const JOB_COMMANDS: readonly CommandEntry[] = [
  {
    path: 'job show',
    arguments: JOB,
    summary: 'Show a job: state, tasks, times',
    options: [{ flags: '--spec', help: 'print the compiled job, every default filled in' }],
    examples: [
      ['job show last', 'the newest job'],
      ['job show 01KB -o json', 'by the beginning of its id, for programs'],
      ['job show last --spec -o yaml', 'what exactly runs'],
    ],
    next: '"clobi task list JOB" lists its tasks; "clobi explain JOB" says what holds it up.',
    group,
    load: () => import('../commands/job-show.ts'),
  },
  {
    path: 'job watch',
    alsoAt: 'watch',
    arguments: JOBS,
    summary: 'Follow jobs: counts, rate, time left, failures. Ctrl-C detaches',
    examples: [
      ['watch last', 'the newest job'],
      ['job watch 01KA 01KB', 'two of them'],
    ],
    next: '"clobi outputs JOB --to DIR" brings the results; "clobi retry JOB" runs again what failed.',
    group,
    load: () => import('../commands/job-watch.ts'),
  },
  {
    path: 'job wait',
    alsoAt: 'wait',
    arguments: JOBS,
    summary: 'Wait until jobs are over; the exit code tells how they ended',
    details:
      'Exit code 0: all tasks succeeded. 10: a task failed. 11: cancelled. 124: not over in the time given.',
    options: [{ flags: '--timeout <time>', help: 'wait no longer than this, like 10m', value: 'duration' }],
    examples: [
      ['wait last', 'for the newest job'],
      ['wait --timeout 10m last || echo "not yet, or not well"', 'at most ten minutes'],
    ],
    next: '"clobi task list JOB --state failed" lists what failed.',
    group,
    load: () => import('../commands/job-wait.ts'),
  },
  {
    path: 'job logs',
    alsoAt: 'logs',
    arguments: { '<job>': 'a job, or one task as JOB/INDEX' },
    summary: 'Print what the tasks of a job print, with the index before each line',
    options: [
      { flags: '-f, --follow', help: 'go on while tasks run. Ctrl-C detaches' },
      { flags: '--stdout', help: 'only standard output' },
      { flags: '--stderr', help: 'only standard error' },
      { flags: '--failed', help: 'only tasks that failed' },
      { flags: '--no-prefix', help: 'lines as they are' },
    ],
    examples: [
      ['logs last', 'all there is'],
      ['logs -f last', 'follow running tasks'],
      ['logs last --failed --stderr', 'what the failed ones complained of'],
      ['logs last/3', 'of one task'],
    ],
    next: '"clobi task logs JOB/INDEX" prints one task’s bytes unchanged.',
    group,
    load: () => import('../commands/job-logs.ts'),
  },
  {
    path: 'job explain',
    alsoAt: 'explain',
    arguments: { '<job>': 'a job, or one task as JOB/INDEX' },
    summary: 'Say why a job or task is not running, or why it failed',
    examples: [
      ['explain last', 'what holds the newest job up'],
      ['explain last/17', 'one task: dependencies, backoff, pools and what rules each out'],
    ],
    next: '"clobi pool list" and "clobi agent list" show where tasks could run.',
    group,
    load: () => import('../commands/job-explain.ts'),
  },
  {
    path: 'job cancel',
    alsoAt: 'cancel',
    arguments: JOBS,
    summary: 'Cancel jobs, or some of their tasks; running ones are stopped',
    options: [
      { flags: '--tasks <indices>', help: 'only these, like 3,7,10-19', value: 'indices' },
      { flags: '--reason <text>', help: 'why; shown with the job' },
    ],
    examples: [
      ['cancel last', 'the newest job'],
      ['cancel last --tasks 3,10-19 --reason "wrong input"', 'only some tasks'],
      ['ps -o name | xargs clobi cancel', 'everything that is open'],
    ],
    next: '"clobi watch JOB" shows the rest coming to its end.',
    group,
    load: () => import('../commands/job-cancel.ts'),
  },
  {
    path: 'job retry',
    alsoAt: 'retry',
    arguments: JOB,
    summary: 'Run again what failed, as a new job; prints its id',
    options: [
      { flags: '--failed', help: 'tasks that failed or were lost (the default)' },
      { flags: '--tasks <indices>', help: 'these tasks, like 3,7,10-19', value: 'indices' },
      { flags: '--memory <size>', help: 'with more memory, like 8GiB', value: 'bytes' },
      { flags: '--cpus <n>', help: 'with so many processors', value: 'number' },
      { flags: '--watch', help: 'show progress until it is over' },
    ],
    examples: [
      ['retry last', 'what failed in the newest job'],
      ['job retry last --failed --memory 8GiB', 'with more memory'],
      ['retry 01KB --tasks 0-9', 'the first ten, whatever became of them'],
    ],
    next: '"clobi watch last" follows the new job.',
    group,
    load: () => import('../commands/job-retry.ts'),
  },
  {
    path: 'job events',
    arguments: JOB,
    summary: 'Print the history of a job',
    options: [
      { flags: '-f, --follow', help: 'go on until it is over. Ctrl-C detaches' },
      { flags: '--after <seq>', help: 'only events after this number', value: 'integer' },
    ],
    examples: [
      ['job events last', 'so far'],
      ['job events -f last -o jsonl', 'as it happens, for programs'],
    ],
    next: '"clobi task attempts JOB/INDEX" has the history of one task.',
    group,
    load: () => import('../commands/job-events.ts'),
  },
  {
    path: 'job outputs',
    alsoAt: 'outputs',
    arguments: JOB,
    summary: 'List the output files of a job, or bring them to a directory',
    details:
      'With --to every committed output is put at DIR/INDEX/PATH and checked by its SHA-256. Files that are there already are not fetched again.',
    options: [
      { flags: '--to <dir>', help: 'bring them here' },
      { flags: '--tasks <indices>', help: 'only of these tasks, like 3,7,10-19', value: 'indices' },
      { flags: '--parallel <n>', help: 'files at the same time', value: 'count', default: 8 },
    ],
    examples: [
      ['outputs last', 'list them'],
      ['outputs last --to results', 'bring all; again: only what is missing'],
      ['outputs last -o json', 'names, sizes and hashes for programs'],
    ],
    next: '"clobi task list JOB" shows which task is which.',
    group,
    load: () => import('../commands/job-outputs.ts'),
  },
  {
    path: 'job release',
    arguments: JOBS,
    summary: 'Start jobs that were submitted with --hold',
    examples: [['job release last', 'the newest job']],
    next: '"clobi watch JOB" follows it.',
    group,
    load: () => import('../commands/job-release.ts'),
  },
  {
    path: 'job move',
    arguments: JOBS,
    summary: 'Let what has not begun of a job run in one pool and no other',
    details:
      'Goes over pools, providers and regions that the job asks for, not over what its tasks need. What has begun goes on where it is; what waits in the queue of another pool comes back at once, and is no loss.',
    options: [
      { flags: '--to <pool>', help: 'the pool' },
      { flags: '--anywhere', help: 'take an earlier move back' },
      { flags: '--pending', help: 'leave alone what waits in the queue of another pool' },
    ],
    examples: [
      ['job move last --to azure', 'all that has not begun'],
      ['job move last --to azure --pending', 'only what no pool has yet'],
      ['job move last --anywhere', 'as its placement says'],
    ],
    next: '"clobi explain JOB" shows where its tasks go.',
    group,
    load: () => import('../commands/job-move.ts'),
  },
  {
    path: 'job publish',
    arguments: JOBS,
    summary: 'Try at once what could not be put where outputs.to says, or give it up',
    details:
      'Files that cannot be published are tried again by themselves, after 1 s, 2 s, … 5 min, for ever; retention waits for them. What is given up stays with Clobi until its retention is over; a file that is on its way may still arrive; tasks that end later are published as ever.',
    options: [{ flags: '--give-up', help: 'do not publish what is not there yet' }],
    examples: [
      ['job publish last', 'after a missing permission was given'],
      ['job publish last --give-up', 'the bucket is gone for good'],
    ],
    next: '"clobi job show JOB" counts what is there; "clobi explain JOB" says what keeps the rest.',
    group,
    load: () => import('../commands/job-publish.ts'),
  },
  {
    path: 'job validate',
    arguments: { '<files...>': 'job files' },
    summary: 'Check job files without submitting them; needs no coordinator',
    details: 'Prints every problem as FILE:LINE:COLUMN MESSAGE and ends with 2 when there is one.',
    examples: [
      ['job validate job.yaml', 'one file'],
      ['job validate jobs/*.yaml', 'many'],
    ],
    next: '"clobi submit FILE" submits it; "clobi schema print job" makes editors check while you type.',
    group,
    load: () => import('../commands/job-validate.ts'),
  },
];
