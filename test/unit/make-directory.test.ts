/** A data directory is made with those above it, and one that cannot be is an error, at once. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { makeDirectory as makeOfAgent } from '../../agent/make-directory.ts';
import { makeDirectory as makeOfVehicle } from '../../vehicle-client/make-directory.ts';

for (const [program, makeDirectory] of [
  ['agent', makeOfAgent],
  ['vehicle client', makeOfVehicle],
] as const) {
  test(`${program}: a directory is made with those above it, for its owner alone, and again is no error`, (t) => {
    const dir = mkdtempSync(path.join(tmpdir(), 'plugpool-directory-'));
    t.after(() => rmSync(dir, { recursive: true }));
    const wanted = path.join(dir, 'a', 'b', 'c');
    makeDirectory(wanted);
    makeDirectory(wanted);
    assert.equal(statSync(wanted).mode & 0o777, 0o700);
  });

  test(`${program}: below a file, and where the system makes none, it is an error`, (t) => {
    const dir = mkdtempSync(path.join(tmpdir(), 'plugpool-directory-'));
    t.after(() => rmSync(dir, { recursive: true }));
    writeFileSync(path.join(dir, 'file'), '');
    assert.throws(() => makeDirectory(path.join(dir, 'file', 'x')), /ENOTDIR|EEXIST/);
    assert.throws(() => makeDirectory(path.join(dir, 'file')), /EEXIST/);
    if (process.platform === 'linux') assert.throws(() => makeDirectory('/proc/x'), /ENOENT|EACCES|EPERM/);
  });
}
