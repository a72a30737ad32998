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
 * In the repository the sources run as they are; in an installed package there is only what was emitted from them.
 *
 * @param {string} program
 * @param {string} entry the module that exports `main`, from the package's root and without its extension
 */
export function launch(program, entry) {
  var problem = versionProblem(program, process.version);
  if (problem) {
    process.stderr.write(problem + '\n');
    process.exitCode = 2;
    return;
  }
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
