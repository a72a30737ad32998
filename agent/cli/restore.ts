/** `plugpool restore FILE`: puts a backup in the place of the store. Asks no agent: none may run. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { defaultDataDir } from '../config/data-dir.ts';
import type { Restored } from '../restore-store.ts';
import type { CliContext } from './context.ts';
import { fileRefusalOf } from './file-refusal.ts';
import { facts } from './table.ts';
import {
  sayFound,
  showUsageOnError,
  withCommon,
  type CliProgram,
  type CommonFlags,
  type Found,
} from './verb.ts';
import { counted } from './words.ts';

export function addRestore(program: Command, cli: CliProgram): void {
  const command = withCommon(program.command('restore'))
    .description('put a backup in the place of the store; the agent must not run')
    .argument('<file>', 'what "plugpool backup" made');
  showUsageOnError(command).action(async (file: string, flags: CommonFlags) =>
    cli.finish(sayFound(cli.context, flags, await restore(cli.context, resolve(file), flags))),
  );
}

async function restore({ env }: CliContext, file: string, flags: CommonFlags): Promise<Found> {
  // Only here: every other command starts faster without a database.
  const { restoreAgentStore } = await import('../restore-store.ts');
  const dataDir = resolve(flags.dataDir ?? defaultDataDir(env));
  try {
    const restored = restoreAgentStore(dataDir, file);
    return { document: { dataDir, ...restored }, page: (paint) => facts(factsOf(dataDir, restored), paint) };
  } catch (error) {
    throw fileRefusalOf(error);
  }
}

function factsOf(dataDir: string, restored: Restored): [string, string][] {
  const { replaced, openTasks, closedTasks, missingBlobs, tasksWithoutInput, algorithmsWithoutImage } =
    restored;
  const entries: [string, string][] = [
    ['restored', `${dataDir}/agent.db, ${counted(openTasks, 'open task')}, ${closedTasks} closed`],
    ['was there', replaced ?? 'no store'],
  ];
  if (missingBlobs.length > 0)
    entries.push([
      'missing',
      `${counted(missingBlobs.length, 'file')} of ${dataDir}/blobs: copy what you have of it there before the start`,
    ]);
  if (tasksWithoutInput.length > 0)
    entries.push(['will end', `${tasksWithoutInput.join(' ')}: their input is not here`]);
  if (algorithmsWithoutImage.length > 0)
    entries.push(['add again', `${algorithmsWithoutImage.join(' ')}: their image is not here`]);
  entries.push(['now', 'start plugpool-agent; what donors still hold from before is void']);
  return entries;
}
