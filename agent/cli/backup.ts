/** `plugpool backup FILE`: a copy of the store as it is now, while the agent goes on. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { ControlClient } from '../adapters/control-socket/control-client.ts';
import { controlSocketPath, defaultDataDir } from '../config/data-dir.ts';
import type { StatusAnswer } from '../control-views.ts';
import type { BackupFile } from '../ports.ts';
import { showProgress } from './progress.ts';
import { sayFound, showUsageOnError, withCommon, type CliProgram, type CommonFlags } from './verb.ts';
import { bytesInWords } from './words.ts';

/** A copy of a large store to a slow disk takes longer than any other answer. */
const BACKUP_MS_MAX = 3_600_000;

export function addBackup(program: Command, cli: CliProgram): void {
  const command = withCommon(program.command('backup'))
    .description('copy the store to a new file, while the agent goes on')
    .argument('<file>', 'a file that does not exist yet, best on another disk');
  showUsageOnError(command).action((file: string, flags: CommonFlags) => backUp(cli, resolve(file), flags));
}

async function backUp({ context, finish }: CliProgram, file: string, flags: CommonFlags): Promise<void> {
  const socket = controlSocketPath(flags.dataDir ?? defaultDataDir(context.env));
  const agent = new ControlClient(socket, BACKUP_MS_MAX);
  const onlooker = new ControlClient(socket);
  const progress = showProgress(context, () => askHowFar(onlooker));
  try {
    const made = (await agent.ask('backup', { file })) as BackupFile;
    await progress.end();
    finish(sayFound(context, flags, { document: made, page: () => pageOf(made) }));
  } finally {
    await progress.end();
    onlooker.close();
    agent.close();
  }
}

async function askHowFar(agent: ControlClient): Promise<string | undefined> {
  const { backup } = ((await agent.ask('status')) as StatusAnswer).store;
  if (backup.running === null || backup.running.pagesTotal === 0) return undefined;
  const { pagesDone, pagesTotal } = backup.running;
  return `${Math.floor((100 * pagesDone) / pagesTotal)} % of ${pagesTotal} pages`;
}

function pageOf({ file, sizeBytes }: BackupFile): string {
  return `${file}: ${bytesInWords(sizeBytes)}, checked. It holds the store alone; keep a copy of blobs/ beside it.`;
}
