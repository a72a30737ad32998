/** How many events a step takes, by what syncs of the disk and writing cost. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BatchBound } from '../../agent/batch-bound.ts';

const ALL = 2_000;
const LEAST = 128;

/** After so many commits of so many events, each of which took so long to write. */
function boundAfter(commits: number, parts: { events: number; usAnEvent: number; syncMs: number }): number {
  const bound = new BatchBound();
  for (let n = 0; n < commits; n += 1) learn(bound, parts);
  return bound.events;
}

function learn(bound: BatchBound, parts: { events: number; usAnEvent: number; syncMs: number }): void {
  const { events, usAnEvent, syncMs } = parts;
  bound.learn(events, syncMs + (events * usAnEvent) / 1_000, syncMs);
}

describe('A batch', () => {
  it('is whatever there is, until it is known what a sync costs', () => {
    assert.equal(new BatchBound().events, ALL);
  });

  it('is so large that writing it takes six times what its sync takes', () => {
    assert.equal(boundAfter(10, { events: 500, usAnEvent: 20, syncMs: 1 }), 300);
  });

  it('is whatever there is on a disk whose sync takes ten milliseconds', () => {
    assert.equal(boundAfter(10, { events: 500, usAnEvent: 20, syncMs: 10 }), ALL);
  });

  it('is never so small that clients are told of a few things at a time', () => {
    assert.equal(boundAfter(10, { events: 500, usAnEvent: 20, syncMs: 0.1 }), LEAST);
  });

  it('follows a disk that becomes slow, not a single slow sync', () => {
    const bound = new BatchBound();
    const quick = { events: 200, usAnEvent: 20, syncMs: 0.5 };
    for (let n = 0; n < 100; n += 1) learn(bound, quick);
    const before = bound.events;
    learn(bound, { ...quick, syncMs: 5 });
    assert.ok(bound.events < 2 * before, `${bound.events} after one slow sync, ${before} before`);
    for (let n = 0; n < 100; n += 1) learn(bound, { ...quick, syncMs: 10 });
    assert.equal(bound.events, ALL);
  });

  it('learns nothing from a commit of a few events, nor from one whose sync nobody timed', () => {
    assert.equal(boundAfter(10, { events: 3, usAnEvent: 500, syncMs: 0.2 }), ALL);
    assert.equal(boundAfter(10, { events: 500, usAnEvent: 20, syncMs: 0 }), ALL);
  });
});
