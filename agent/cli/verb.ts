/** What all verbs have in common: their options, the way to the agent, and one document or one page for an answer. */
import type { Command } from 'commander';
import { ControlClient } from '../adapters/control-socket/control-client.ts';
import { controlSocketPath, defaultDataDir } from '../config/data-dir.ts';
import { EXIT_DONE, EXIT_FAILED, sayJson, type CliContext, type Paint } from './context.ts';

export interface CommonFlags {
  readonly dataDir?: string;
  readonly json?: true;
}

/** What a verb found: the same for programs and for people. */
export interface Found {
  /** `ok: true` is added, or `ok: false` where `failed`. */
  readonly document: object;
  readonly page: (paint: Paint) => string;
  /** It could be told, and it is not well: exit code 1. */
  readonly failed?: boolean;
}

/** Where verbs are added. */
export interface CliProgram {
  readonly context: CliContext;
  readonly finish: (exitCode: number) => void;
}

/** Options that every verb takes, and what to show where they are used wrongly. */
export function withCommon(command: Command): Command {
  return command
    .option('--data-dir <dir>', 'the data directory of the agent (default: where plugpool-agent keeps it)')
    .option('--json', 'standard output is one JSON document (docs/cli-json.md)');
}

/** Called when a verb's arguments and options are complete. */
export function showUsageOnError(command: Command): Command {
  return command.showHelpAfterError(`usage: ${pathOf(command)} ${command.usage()}\n`);
}

/** Called first in the action of a group that shows something by itself: a word after it is a verb that it does not have. */
export function refuseUnknownVerb(group: Command): void {
  const [word] = group.args;
  if (word !== undefined)
    showVerbsOnError(group).error(`error: unknown command '${word}'`, { code: 'commander.unknownCommand' });
}

/** Called of a group that does nothing by itself, when its verbs are added. */
export function showVerbsOnError(group: Command): Command {
  const verbs = group.commands.map((verb) => verb.name()).join(' | ');
  return group.showHelpAfterError(`usage: ${pathOf(group)} ${verbs} …\n`);
}

function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

/** Asks the agent, says what was found, ends with the exit code. */
export function answerFrom(
  cli: CliProgram,
  flags: CommonFlags,
  find: (agent: ControlClient) => Promise<Found>,
): Promise<void> {
  return talkTo(cli, flags, async (agent) => sayFound(cli.context, flags, await find(agent)));
}

/** For verbs that say more than one thing; `talk` gives the exit code. */
export async function talkTo(
  { context, finish }: CliProgram,
  flags: CommonFlags,
  talk: (agent: ControlClient) => Promise<number>,
): Promise<void> {
  const agent = new ControlClient(controlSocketPath(flags.dataDir ?? defaultDataDir(context.env)));
  try {
    finish(await talk(agent));
  } finally {
    agent.close();
  }
}

export function sayFound(context: CliContext, flags: CommonFlags, found: Found): number {
  const isOk = found.failed !== true;
  if (flags.json === true) sayJson(context, { ok: isOk, ...found.document });
  else context.stdout.write(`${found.page(context.paint)}\n`);
  return isOk ? EXIT_DONE : EXIT_FAILED;
}
