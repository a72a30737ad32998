/** The tasks that benches read and make up: what cannot be true is left out and counted, made-up ones have the published shape. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { generateTasks, GENERATE_TASKS_DEFAULTS, tasksCsv } from '../../bench/tasks/generate-tasks.ts';
import { parseTasks, TASK_COLUMNS } from '../../bench/tasks/read-tasks.ts';

const HEADER = TASK_COLUMNS.join(',');

test('a tasks file is read in the order of submission, and what was wrong is counted', () => {
  const { rows, repairs } = parseTasks(
    [
      HEADER,
      'late,20,1000,512,0,60,BE',
      'early,10,1000,512,500,60,LS',
      'early,11,1000,512,500,60,LS',
      'endless,12,1000,512,0,-5,LS',
      'never,,1000,512,0,5,LS',
      'nothing,13,0,0,0,5,LS',
      'less,14,-1,10,0,5,LS',
      'words,15,many,10,0,5,LS',
    ].join('\n'),
    'tasks.csv',
  );
  assert.deepEqual(
    rows.map(({ id }) => id),
    ['early', 'late'],
  );
  assert.deepEqual(Object.fromEntries(repairs), {
    'a task id that stood there before: left out': 1,
    'a duration that is not above 0: left out': 1,
    'no time of submission: left out': 1,
    'a demand of nothing: left out': 1,
    'a demand that is no number of 0 or more: left out': 2,
    'rows out of order: sorted by submission': 1,
  });
});

test('a file of another form is refused with the form', () => {
  assert.throws(
    () => parseTasks('task_id,when\na,1', 'x.csv'),
    /x\.csv: missing column submitted_s.*first line must be task_id/,
  );
  assert.throws(() => parseTasks('', 'x.csv'), /no task in it/);
});

test('made-up tasks have the published shape, and one seed gives one file', () => {
  const rows = generateTasks(GENERATE_TASKS_DEFAULTS);
  const durations = rows.map(({ durationS }) => durationS).sort((a, b) => a - b);
  for (const [share, publishedS] of [
    [0.1, 71],
    [0.5, 540],
    [0.9, 4157],
  ] as const) {
    const madeUpS = durations[Math.floor(rows.length * share)] ?? NaN;
    assert.ok(Math.abs(madeUpS / publishedS - 1) < 0.15, `${share}: ${madeUpS} s against ${publishedS} s`);
  }
  assert.ok((durations.at(-1) ?? 0) <= 4 * 3600);
  const shareOf = (is: (row: (typeof rows)[number]) => boolean): number =>
    rows.filter(is).length / rows.length;
  assert.ok(Math.abs(shareOf(({ gpuMillis }) => gpuMillis === 1000) - 0.5) < 0.03);
  assert.ok(Math.abs(shareOf(({ gpuMillis }) => gpuMillis === 0) - 0.14) < 0.03);
  assert.ok(Math.abs(shareOf((row) => row.class === 'LS') - 0.59) < 0.03);
  assert.equal(tasksCsv(generateTasks(GENERATE_TASKS_DEFAULTS)), tasksCsv(rows));
  assert.notEqual(tasksCsv(generateTasks({ ...GENERATE_TASKS_DEFAULTS, seed: 2 })), tasksCsv(rows));
});

test('what the generator writes, the reader reads without a repair', () => {
  const rows = generateTasks({ seed: 3, tasks: 100, days: 1 });
  const read = parseTasks(tasksCsv(rows), 'made-up');
  assert.deepEqual(read.rows, rows);
  assert.equal(read.repairs.size, 0);
});
