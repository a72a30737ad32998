/** What whoever watches a donor reads: events and warnings in one form, each said once. */
import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { DonorView, isOneOutput } from '../../vehicle-client/cli/donor-view.ts';

function shown(): { readonly view: DonorView; readonly lines: string[] } {
  const lines: string[] = [];
  const out = new Writable({
    write: (chunk: Buffer, _, done) => {
      lines.push(chunk.toString().replace(/^\d\d:\d\d:\d\d {2}/, ''));
      done();
    },
  });
  return { view: new DonorView(out), lines };
}

test('a warning says why and what to do, and what is below the level says nothing', () => {
  const { view, lines } = shown();
  const log = view.log('warn');
  log.warn({ code: 'x', detail: 'only root reads it', hint: 'give it to a group' }, 'no meter');
  log.error({ err: new Error('the disk is full') }, 'a large output could not be written');
  log.warn({ vehicleId: 'v' }, 'plain');
  log.info({}, 'nobody asked');
  assert.deepEqual(lines, [
    'warning: no meter: only root reads it (give it to a group)\n',
    'error: a large output could not be written: the disk is full\n',
    'warning: plain\n',
  ]);
});

test('what an event says as well is said once', () => {
  const { view, lines } = shown();
  view.say({ kind: 'disconnected', code: 'unreachable', detail: 'connection refused' });
  view.log('debug').warn({ event: 'disconnected', detail: 'connection refused' }, 'no connection');
  assert.deepEqual(lines, ['no connection: connection refused; trying again\n']);
});

test('one line stays one line, and commands nobody’s terminal', () => {
  const { view, lines } = shown();
  view.log('warn').warn({ detail: 'a\nb\u001b[2J' }, 'told by a stranger');
  assert.deepEqual(lines, ['warning: told by a stranger: a b\ufffd[2J\n']);
});

test('streams without a file behind them are never one output', () => {
  const { stdout } = process;
  assert.equal(isOneOutput({ stdout, stderr: stdout }), true);
  assert.equal(isOneOutput({ stdout: new Writable(), stderr: process.stderr }), false);
});
