/** How the commands write for people: numbers, tables, and texts that vehicles chose. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nearestName } from '../../agent/core/nearest-name.ts';
import { printable } from '../../agent/cli/context.ts';
import { facts, table } from '../../agent/cli/table.ts';
import {
  bytesInWords,
  coresInWords,
  demandInWords,
  durationInWords,
  percentInWords,
} from '../../agent/cli/words.ts';

const plain = (_: string, text: string): string => text;

test('durations are in the units that a person would choose', () => {
  const expected: readonly (readonly [ms: number, words: string])[] = [
    [0, '0 ms'],
    [999, '999 ms'],
    [1_500, '1.5 s'],
    [61_000, '1 min 1 s'],
    [3_600_000, '1 h 0 min'],
    [47 * 3_600_000, '47 h 0 min'],
    [50 * 3_600_000, '2 d 2 h'],
    [-1_500, '-1.5 s'],
  ];
  for (const [ms, words] of expected) assert.equal(durationInWords(ms), words);
});

test('cores, bytes, shares and demands read as they are spoken of', () => {
  assert.equal(coresInWords(1500), '1.5');
  assert.equal(bytesInWords(1536), '1.5 KiB');
  assert.equal(bytesInWords(64 * 1024 * 1024), '64 MiB');
  assert.equal(bytesInWords(71.3 * 1024 ** 3), '71.3 GiB');
  assert.equal(percentInWords(555), '55.5 %');
  const demand = { cpuMillicores: 1000, memoryMib: 64, threads: 1, gpu: { shareMillis: 500, vramMib: 1024 } };
  assert.equal(demandInWords(demand), '1 core, 64 MiB, 50 % of a GPU with 1024 MiB');
});

test('columns are as wide as what stands in them, numbers to the right', () => {
  const columns = [
    { heading: 'NAME', cell: (row: [string, number]) => row[0] },
    { heading: 'N', align: 'right' as const, cell: (row: [string, number]) => String(row[1]) },
  ];
  assert.equal(
    table(
      columns,
      [
        ['a', 5],
        ['longer', 1000],
      ],
      plain,
    ),
    'NAME       N\na          5\nlonger  1000',
  );
  assert.equal(
    facts(
      [
        ['a', '1'],
        ['bcd', '2'],
      ],
      plain,
    ),
    'a    1\nbcd  2',
  );
});

test('a foreign text neither commands the terminal nor breaks the table', () => {
  assert.equal(printable('a\u001b[31m\u009b\u202eb\nc'), 'a\ufffd[31m\ufffd\ufffdb\nc');
  const columns = [{ heading: 'X', cell: (row: string) => row }];
  assert.equal(table(columns, ['a\nb\tc'], plain), 'X\na b\ufffdc');
  assert.equal(table(columns, ['x'.repeat(500)], plain).split('\n')[1]?.length, 400);
  const [narrow = ''] = table([...columns, ...columns], ['x'.repeat(500)], plain)
    .split('\n')
    .slice(1);
  assert.equal(narrow.indexOf(' '), 60);
});

test('the nearest name is offered only where it is near', () => {
  assert.equal(nearestName('leese', ['lease', 'rest']), 'lease');
  assert.equal(nearestName('datadir', ['dataDir']), 'dataDir');
  assert.equal(nearestName('zzzzzzzz', ['lease', 'rest']), undefined);
  assert.equal(nearestName('x', []), undefined);
});
