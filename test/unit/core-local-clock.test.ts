/** The clock on the wall where a pile stands, in zones where it is set and where it is not. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { LocalClock } from '../../agent/core/dwell/local-clock.ts';
import { LOCAL_OFFSETS_MAX } from '../../agent/core/limits.ts';

const HOUR_MS = 3_600_000;

function said(timeZone: string): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    dateStyle: 'short',
    timeStyle: 'medium',
  });
}

test('the clock on the wall is set twice a year, at a moment of UTC', () => {
  const berlin = new LocalClock('Europe/Berlin');
  const hoursAhead = (...utc: [number, number, number, number, number]): number => {
    const wallMs = Date.UTC(...utc);
    return (berlin.localMs(wallMs) - wallMs) / HOUR_MS;
  };
  assert.deepEqual([hoursAhead(2026, 2, 29, 0, 59), hoursAhead(2026, 2, 29, 1, 0)], [1, 2]);
  assert.deepEqual([hoursAhead(2026, 9, 25, 0, 59), hoursAhead(2026, 9, 25, 1, 0)], [2, 1]);
  assert.equal(
    new LocalClock('Australia/Lord_Howe').localMs(Date.UTC(2026, 6, 1)),
    Date.UTC(2026, 6, 1, 10, 30),
  );
  assert.equal(new LocalClock('-09:30').localMs(0), -9.5 * HOUR_MS);
  assert.equal(new LocalClock('UTC').localMs(5), 5);
  for (const wallMs of [NaN, Infinity, -1e300, 8.64e15]) assert.equal(berlin.localMs(wallMs), wallMs);
});

test('the zone of the pile is what a calendar says, whenever one asks, and more often than it remembers', () => {
  const clock = new LocalClock('America/St_Johns');
  const [there, utc] = [said('America/St_Johns'), said('UTC')];
  for (let i = 0; i < LOCAL_OFFSETS_MAX + 2_000; i += 1) {
    const wallMs = Date.UTC(2020, 0, 1) + i * 7 * HOUR_MS;
    if (i % 97 !== 0) clock.localMs(wallMs);
    else assert.equal(there.format(wallMs), utc.format(clock.localMs(wallMs)));
  }
});
