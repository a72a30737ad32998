/**
 * A program that runs an agent whose station hands records of credit on to a back office: a file, one line a record that it took. It
 * says `taken ID` for each, and ends when its standard input does.
 */
import { appendFileSync } from 'node:fs';
import { configOf, startAgent } from '@plugpool/agent';
import type { ControlOutcome, FirmwareAdapter, FirmwareEvent } from '@plugpool/firmware-bridge';
import type { ConnectorId } from '@plugpool/proto';
import { pass } from '../crash/crash-points.ts';

const [dataDir, officeFile] = process.argv.slice(2);
if (dataDir === undefined || officeFile === undefined)
  throw new Error('usage: credit-station DATA-DIR OFFICE-FILE');

const TAKEN: ControlOutcome = { ok: true };
const nothing = (): Promise<ControlOutcome> => Promise.resolve(TAKEN);

const station: FirmwareAdapter = {
  name: 'back-office',
  capabilities: new Set<never>(),
  staleAfterMs: 0,
  control: {
    abilities: new Set(['credit'] as const),
    ...{ setCap: nothing, clearCap: nothing, showText: nothing },
    sendCredit: (_connectorId, record) => {
      appendFileSync(officeFile, `${JSON.stringify(record)}\n`);
      pass('credit taken');
      console.log('taken');
      return Promise.resolve(TAKEN);
    },
  },
  start: (emit: (event: FirmwareEvent) => void) => {
    const connectorId = 'north/1/1' as ConnectorId;
    emit({ kind: 'unplugged', connectorId, at: { receivedWallMs: Date.now() } });
    return Promise.resolve();
  },
  stop: () => Promise.resolve(),
};

const config = configOf({ dataDir, station: 'north', listen: 'mqtt://127.0.0.1:0', credits: 'send' });
const running = await startAgent(config, { firmware: [station] });
process.stdin.on('end', () => void running.stop().then(() => process.exit(0)));
process.stdin.resume();
