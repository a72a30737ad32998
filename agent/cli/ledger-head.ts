/** `plugpool ledger head`: the newest booking's hash, signed, to be kept where the pile cannot change it. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { SignedHead } from '../signed-head.ts';
import { makeNewFile } from './new-file.ts';
import { facts } from './table.ts';
import { answerFrom, showUsageOnError, withCommon, type CliProgram, type CommonFlags } from './verb.ts';
import { timeInWords } from './words.ts';

interface HeadFlags extends CommonFlags {
  readonly out?: string;
}

export function addLedgerHead(group: Command, cli: CliProgram): void {
  const command = withCommon(group.command('head'))
    .description('the head of the chain, signed; "plugpool ledger verify --head" proves the chain against it')
    .option('--out <file>', 'write it to a new file');
  showUsageOnError(command).action((flags: HeadFlags) =>
    answerFrom(cli, flags, async (agent) => {
      const head = (await agent.ask('ledgerHead')) as SignedHead;
      if (flags.out !== undefined) {
        const text = `${JSON.stringify(head, null, 2)}\n`;
        await makeNewFile(resolve(flags.out), async (file) => void (await file.write(text)));
      }
      return { document: head, page: (paint) => facts(factsOf(head, flags.out), paint) };
    }),
  );
}

function factsOf(head: SignedHead, out: string | undefined): [string, string][] {
  return [
    ['station', head.station],
    ['bookings', String(head.bookings)],
    ['hash', head.hash],
    ['signed', timeInWords(head.wallMs)],
    ['key', head.publicKey],
    ...(out === undefined ? [] : [['written', out] as [string, string]]),
  ];
}
