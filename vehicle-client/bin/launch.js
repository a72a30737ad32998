/**
 * Starts a program of this package on Node 24 or newer, or says in one line why it cannot. Written in what old Nodes can parse:
 * they must get as far as that line.
 */
import { existsSync } from 'node:fs';
import nodeModule from 'node:module';
import { fileURLToPath } from 'node:url';

var NODE_MAJOR_MIN = 24;

/**
 * @param {string} program
 * @param {string} version as in `process.version`
 * @returns {string} the line to say; empty where the version will do
 */
export function versionProblem(program, version) {
  if (Number(version.replace(/^v/, '').split('.')[0]) >= NODE_MAJOR_MIN) return '';
  return (
    program +
    ' needs Node ' +
    NODE_MAJOR_MIN +
    ' or newer; this is ' +
    version +
    '. In a checkout of the project run "npm run ' +
    program +
    ' -- …", which brings its own; anywhere else install Node ' +
    NODE_MAJOR_MIN +
    '.'
  );
}

/**
 * The arguments to start Node over with, or none where it has the flags, or where somebody has set them himself. On a machine
 * with much memory V8 lets a busy daemon take a lot of it before it looks, and can be told otherwise only when a process starts.
 *
 * @param {readonly string[]} flags
 * @param {{ readonly execPath: string, readonly execArgv: readonly string[], readonly argv: readonly string[], readonly env: { readonly NODE_OPTIONS?: string | undefined } }} self
 * @returns {string[]}
 */
export function restartArguments(flags, self) {
  var given = self.execArgv.concat((self.env.NODE_OPTIONS || '').split(' '));
  var missing = flags.filter(function (flag) {
    return !given.some(function (one) {
      return one.split('=')[0] === flag.split('=')[0];
    });
  });
  if (missing.length === 0) return [];
  return [self.execPath].concat(missing, self.execArgv, self.argv.slice(1));
}

/**
 * V8's helper threads, and whatever else allocates, share two arenas: each would else have one of its own, and keep the most that it
 * ever had. What somebody has set himself stays; other C libraries than glibc read none of it.
 *
 * @param {NodeJS.ProcessEnv} env
 * @returns {NodeJS.ProcessEnv}
 */
export function restartEnvironment(env) {
  return Object.assign({ MALLOC_ARENA_MAX: '2' }, env);
}

/**
 * In the repository the sources run as they are; in an installed package there is only what was emitted from them.
 *
 * @param {string} program
 * @param {string} entry the module that exports `main`, from the package's root and without its extension
 * @param {readonly string[]} [flags] of Node, for a program that runs for long
 */
export function launch(program, entry, flags) {
  var problem = versionProblem(program, process.version);
  if (problem) {
    process.stderr.write(problem + '\n');
    process.exitCode = 2;
    return;
  }
  var restart = restartArguments(flags || [], process);
  // The same process, with the same id; there is no such call on Windows.
  if (restart.length > 0 && process.execve && process.platform !== 'win32')
    process.execve(process.execPath, restart, restartEnvironment(process.env));
  var source = new URL('../' + entry + '.ts', import.meta.url);
  var emitted = new URL('../dist/' + entry + '.js', import.meta.url);
  var isRepository = existsSync(source);
  // Stripping the types at each start would take 30 MiB and 0.2 s; this keeps what was stripped once.
  if (isRepository)
    nodeModule.enableCompileCache(
      fileURLToPath(new URL('../../node_modules/.cache/plugpool', import.meta.url)),
    );
  import(String(isRepository ? source : emitted))
    .then(function (module) {
      return module.main(process.argv.slice(2));
    })
    .then(function (exitCode) {
      process.exitCode = exitCode;
    });
}
