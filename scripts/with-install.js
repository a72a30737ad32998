/**
 * Runs one of the project's scripts or tools on Node 24, after installing what the lock file names where that is not done yet.
 *
 *   node scripts/with-install.js <script.ts> [args]
 *   node scripts/with-install.js --bin <name> [args]
 *
 * Plain JavaScript for any Node from 18 on: this is the first thing that runs on a fresh clone, with whatever Node is there.
 * Standard output belongs to the script that is run; all that the installer says goes to standard error.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isInstalled } from './install-state.js';
import { restoreAbandonedManifests } from './pack/manifest-backup.js';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const BIN = join(ROOT, 'node_modules', '.bin');
/** Where what was compiled once is kept, types stripped; the launchers of the programs use the same. */
const COMPILE_CACHE = join(ROOT, 'node_modules', '.cache', 'plugpool');
const LOCK = join(ROOT, '.cache', 'install.lock');
const LOCK_WAIT_MS_MAX = 10 * 60_000;
const LOCK_POLL_MS = 250;
const PARENT_POLL_MS = 1_000;
/** A lock without its owner's id for longer than this was left by a crash between two calls. */
const LOCK_OWNERLESS_MS_MAX = 5_000;

/** @param {string} text */
function say(text) {
  process.stderr.write(`${text}\n`);
}

/** @param {number} pid */
function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Takes away a lock whose owner no longer lives. Renaming is atomic: of two that try, one succeeds. */
function breakStaleLock() {
  try {
    const owner = Number(readFileSync(join(LOCK, 'pid'), 'utf8'));
    if (isAlive(owner)) return;
  } catch {
    const age = Date.now() - (statSync(LOCK, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
    if (age < LOCK_OWNERLESS_MS_MAX) return;
  }
  try {
    const aside = `${LOCK}.${process.pid}`;
    renameSync(LOCK, aside);
    rmSync(aside, { recursive: true, force: true });
  } catch {
    // Somebody else took it away.
  }
}

/** One installer at a time: two at once would delete each other's folders. */
async function withLock(work) {
  mkdirSync(join(ROOT, '.cache'), { recursive: true });
  const startedMs = Date.now();
  for (let told = false; ; told = true) {
    try {
      mkdirSync(LOCK);
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    if (Date.now() - startedMs > LOCK_WAIT_MS_MAX) {
      throw new Error(
        `another install has held ${LOCK} for ten minutes; if none is running, remove that folder and try again`,
      );
    }
    if (!told) say('waiting for another install of this checkout to finish');
    breakStaleLock();
    await sleep(LOCK_POLL_MS);
  }
  try {
    writeFileSync(join(LOCK, 'pid'), String(process.pid));
    return work();
  } finally {
    rmSync(LOCK, { recursive: true, force: true });
  }
}

/** @param {string[]} args */
function npm(args) {
  // Options of an outer `npm run` (such as --silent) must not hide what this one has to say.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^npm_config_loglevel$/i.test(name)),
  );
  const result = spawnSync('npm', [...args, '--loglevel=error', '--no-progress'], {
    cwd: ROOT,
    env,
    stdio: ['ignore', 2, 2],
  });
  if (result.error)
    throw new Error(`npm could not be started: ${result.error.message}; install npm 10 or newer`);
  if (result.status === 0) return;
  throw new Error(
    `npm ${args[0]} failed (its own words are above). With a registry in reach, try "npm ci" by hand; ` +
      `"Missing … from lock file" means that package-lock.json must be written again by "npm install".`,
  );
}

/**
 * Only the node package's own script is run: it puts Node 24 in place. better-sqlite3 and onnxruntime-node bring what we use
 * ready-made; their scripts would look for a compiler and fetch CUDA libraries (package.json's allowScripts says the same to a
 * plain `npm ci`, but npm before 11 does not read it).
 */
function install() {
  if (isInstalled(ROOT)) return;
  const startedMs = Date.now();
  say('installing what package-lock.json names (about half a minute, once)');
  npm(['ci', '--ignore-scripts', '--engine-strict=false']);
  npm(['rebuild', 'node', '--ignore-scripts=false']);
  if (!isInstalled(ROOT))
    throw new Error(
      'npm ended well, but node_modules is not what package-lock.json names; remove node_modules and try again',
    );
  say(`installed in ${Math.round((Date.now() - startedMs) / 1000)} s`);
}

/** Starts the command with our own input and outputs, and ends as it ends. */
function run(command, args) {
  const child = spawn(command, args, {
    stdio: 'inherit',
    env: { NODE_COMPILE_CACHE: COMPILE_CACHE, ...process.env, PATH: `${BIN}:${process.env.PATH ?? ''}` },
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      // Ctrl-C at a terminal reaches the child by itself; twice would mean "at once" to many programs.
      if (signal === 'SIGINT' && process.stdin.isTTY) return;
      child.kill(signal);
    });
  }
  // npm that is killed takes its shell along and leaves us: what it started must not go on alone.
  const parent = process.ppid;
  setInterval(() => process.ppid !== parent && child.kill('SIGTERM'), PARENT_POLL_MS).unref();
  child.on('error', (error) => {
    say(`with-install: ${command} could not be started: ${error.message}`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => {
    process.exit(code ?? 128 + (constants.signals[signal] ?? 0));
  });
}

async function main(argv) {
  if (argv.length === 0 || (argv[0] === '--bin' && argv.length < 2)) {
    say('usage: node scripts/with-install.js <script.ts> [args]  |  --bin <name> [args]');
    process.exit(2);
  }
  restoreAbandonedManifests(ROOT);
  if (!isInstalled(ROOT)) {
    await withLock(install);
  }
  if (argv[0] === '--bin') {
    run(join(BIN, argv[1]), argv.slice(2));
  } else {
    run(join(BIN, 'node'), [resolve(argv[0]), ...argv.slice(1)]);
  }
}

main(process.argv.slice(2)).catch((error) => {
  say(`with-install: ${error.message}`);
  process.exit(1);
});
