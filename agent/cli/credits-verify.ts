/** `plugpool credits verify FILE`: whether exported records are what their pile signed; no agent is asked. */
import { readFileSync } from 'node:fs';
import { Option, type Command } from 'commander';
import { verifyCredits, type CreditVerdict } from '../credits/verify-credits.ts';
import { CliError, type Paint } from './context.ts';
import { unreadableFile } from './unreadable-file.ts';
import { sayFound, showUsageOnError, type CliProgram, type CommonFlags } from './verb.ts';
import { counted } from './words.ts';

interface VerifyFlags extends CommonFlags {
  readonly publicKey?: string;
}

export function addCreditsVerify(group: Command, cli: CliProgram): void {
  const command = group
    .command('verify')
    .description('prove that exported records are what their pile signed')
    .argument('<file>', 'what "plugpool credits export" wrote as JSON')
    .addOption(
      new Option(
        '--public-key <base64>',
        'the key of the pile that is meant, as "plugpool ledger head" says it',
      ),
    )
    .option('--json', 'standard output is one JSON document (docs/cli-json.md)');
  showUsageOnError(command).action((file: string, flags: VerifyFlags) => {
    const verdict = verifyCredits(linesIn(file), flags.publicKey);
    const failed = verdict.findings.length > 0 || verdict.records === 0;
    const page = (paint: Paint): string => pageOf(verdict, flags.publicKey !== undefined, paint);
    cli.finish(sayFound(cli.context, flags, { document: verdict, page, failed }));
  });
}

function linesIn(file: string): string[] {
  const text = readText(file);
  if (text.startsWith('id,station,'))
    throw new CliError(
      'invalid_argument',
      `${file} is a CSV export, which says too little to be proven`,
      'export with --format json what is to be proven',
    );
  return text.split('\n');
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw unreadableFile(file, error, 'name what "plugpool credits export --out" wrote');
  }
}

function pageOf({ records, publicKey, findings }: CreditVerdict, isKeyKnown: boolean, paint: Paint): string {
  if (findings.length > 0)
    return [
      paint('red', 'not everything is what a pile signed:'),
      ...findings.map(({ line, detail }) => `  line ${line}: ${detail}`),
    ].join('\n');
  // An export that was cut to nothing would look like one of a time in which nobody lent.
  if (records === 0) return paint('red', 'nothing is proven: there is no record in it');
  const proven = paint('green', `proven: ${counted(records, 'record')}, each as it was signed`);
  if (publicKey === null) return proven;
  const whose = isKeyKnown ? 'the key that was given' : 'whose key that is, --public-key would say';
  return `${proven}\nkey ${publicKey} (${whose})`;
}
