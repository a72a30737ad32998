/** With which flags of Node a daemon's launcher starts it over. */
import assert from 'node:assert/strict';
import test from 'node:test';

interface Self {
  readonly execPath: string;
  readonly execArgv: readonly string[];
  readonly argv: readonly string[];
  readonly env: { readonly NODE_OPTIONS?: string };
}

// The launchers are JavaScript that old Nodes can parse, without types.
const { restartArguments, restartEnvironment } = (await import(
  String(new URL('../../agent/bin/launch.js', import.meta.url))
)) as {
  readonly restartArguments: (flags: readonly string[], self: Self) => string[];
  readonly restartEnvironment: (env: NodeJS.ProcessEnv) => NodeJS.ProcessEnv;
};

const SELF = {
  execPath: '/node',
  execArgv: [] as string[],
  argv: ['/node', '/bin.js', 'donate', '--json'],
  env: {},
};
const FLAG = '--max-semi-space-size=4';

test('a daemon is started over with its flags before its own arguments', () => {
  assert.deepEqual(restartArguments([FLAG], SELF), ['/node', FLAG, '/bin.js', 'donate', '--json']);
});

test('one that has them already is not started over again', () => {
  assert.deepEqual(restartArguments([FLAG], { ...SELF, execArgv: [FLAG] }), []);
  assert.deepEqual(restartArguments([], SELF), []);
});

test('what somebody has set himself stays, on the command line and in the environment', () => {
  const other = '--max-semi-space-size=32';
  assert.deepEqual(restartArguments([FLAG], { ...SELF, execArgv: ['--inspect', other] }), []);
  assert.deepEqual(restartArguments([FLAG], { ...SELF, env: { NODE_OPTIONS: `--inspect ${other}` } }), []);
});

test('other flags of Node are kept', () => {
  assert.deepEqual(restartArguments([FLAG], { ...SELF, execArgv: ['--inspect'] }), [
    '/node',
    FLAG,
    '--inspect',
    '/bin.js',
    'donate',
    '--json',
  ]);
});

test('it is started over with two arenas of malloc, unless somebody wants another number', () => {
  assert.deepEqual(restartEnvironment({ HOME: '/root' }), { HOME: '/root', MALLOC_ARENA_MAX: '2' });
  assert.deepEqual(restartEnvironment({ MALLOC_ARENA_MAX: '8' }), { MALLOC_ARENA_MAX: '8' });
});
