/** `plugpool status`: the whole pile at a glance. */
import type { Command } from 'commander';
import type { StatusAnswer } from '../control-views.ts';
import { printable, type Paint } from './context.ts';
import { facts } from './table.ts';
import { answerFrom, showUsageOnError, withCommon, type CliProgram, type CommonFlags } from './verb.ts';
import {
  agoInWords,
  bytesInWords,
  coreSecondsInWords,
  coresInWords,
  counted,
  durationInWords,
  kilowattsInWords,
  percentInWords,
  timeInWords,
} from './words.ts';

export function addStatus(program: Command, cli: CliProgram): void {
  const command = withCommon(program.command('status')).description('the pile at a glance');
  showUsageOnError(command).action((flags: CommonFlags) =>
    answerFrom(cli, flags, async (agent) => {
      const status = (await agent.ask('status')) as StatusAnswer;
      return { document: status, page: (paint) => statusPage(status, paint) };
    }),
  );
}

/** Well, or what is not and what to do. */
function storeInWords({ check, log, backup }: StatusAnswer['store']): string {
  const [first] = check.findings;
  if (first !== undefined)
    return `DAMAGED (${timeInWords(check.wallMs ?? 0)}): ${printable(first)}. What to do: ${check.hint ?? ''}`;
  const checked = check.wallMs === null ? 'never checked whole' : `checked whole ${agoInWords(check.wallMs)}`;
  const parts = [check.running ? `${checked}, now again` : checked];
  if (log.busyInARow > 0)
    parts.push(`its log is in use by a reader, ${bytesInWords(log.bytes ?? 0)} and growing`);
  if (backup.running !== null) parts.push(`a backup to ${printable(backup.running.file)} is under way`);
  else if (backup.last !== null) parts.push(`backed up ${agoInWords(backup.last.wallMs)}`);
  return parts.join(', ');
}

/** With what to do where it gets short. */
function diskInWords({ usedBytes, maxBytes, spareBytes, freeBytes, short }: StatusAnswer['disk']): string {
  const parts = [`${bytesInWords(usedBytes)} of ${bytesInWords(maxBytes)} are images and payloads`];
  if (spareBytes !== null) parts.push(`${bytesInWords(spareBytes)} of it could go`);
  if (freeBytes !== null) parts.push(`${bytesInWords(freeBytes)} of the disk are free`);
  const hints = short.map(({ what, hint }) => `. ${SHORT[what]}. What to do: ${hint}`);
  return `${parts.join(', ')}${hints.join('')}`;
}

const SHORT: Readonly<Record<StatusAnswer['disk']['short'][number]['what'], string>> = {
  payloads: 'WHAT IS NEEDED LEAVES LITTLE ROOM',
  disk: 'THE DISK GETS FULL',
};

/** Only where something is drained. */
function drainingFacts({ draining }: StatusAnswer): [string, string][] {
  const { all, vehicles, running } = draining;
  if (!all && vehicles.length === 0) return [];
  const what = all ? 'the whole pile' : vehicles.join(', ');
  const still = running === 0 ? 'nothing runs there any more' : `${counted(running, 'run')} there`;
  return [['draining', `${what}, ${still}; plugpool resume takes it back`]];
}

/** Only where there is a limit. */
function powerFacts({ power }: StatusAnswer): [string, string][] {
  if (power === null) return [];
  const parts = [`${kilowattsInWords(power.drawnMw)} of ${kilowattsInWords(power.limitMw)} are drawn`];
  if (power.unknown > 0)
    parts.push(`${counted(power.unknown, 'connector')} of unknown power: nothing new is granted`);
  else if (power.over) parts.push('above its limit: nothing new is granted until it is clearly below');
  return [['power', parts.join(', ')]];
}

function statusPage(status: StatusAnswer, paint: Paint): string {
  const { capacity, tasks, counters } = status;
  const { lendable, free } = capacity;
  const gpu =
    lendable.gpuMillis === 0
      ? ''
      : `, ${percentInWords(free.gpuMillis)} of ${percentInWords(lendable.gpuMillis)} of a GPU`;
  const lent = `${coresInWords(free.cpuMillicores)} of ${coresInWords(lendable.cpuMillicores)} cores, ${free.memoryMib} of ${lendable.memoryMib} MiB${gpu}`;
  return facts(
    [
      ['station', `${status.stationId}, up ${durationInWords(status.uptimeMs)}, version ${status.version}`],
      ['listens on', status.listen],
      ['data', `${status.dataDir}, ${storeInWords(status.store)}`],
      ['disk', diskInWords(status.disk)],
      ['vehicles', `${counted(status.clientsConnected, 'connection')}, ${status.donorsEligible} lend now`],
      ...drainingFacts(status),
      ['free', lent],
      ...powerFacts(status),
      ['connectors', `${status.connectors} known`],
      ['algorithms', String(status.algorithms)],
      [
        'tasks now',
        `${tasks.running} run, ${tasks.queued} wait, ${tasks.undelivered} ended and not fetched yet`,
      ],
      [
        'so far',
        `${counters.accepted} accepted: ${counters.completed} done, ${counters.failed} failed, ${counters.cancelled} cancelled, ${counters.expired} too late, ${counters.dead} given up`,
      ],
      [
        'besides',
        `${counters.refused} requests refused, ${counters.departures} runs lost because a vehicle left, ${counted(counters.checkpoints, 'checkpoint')} kept (${coreSecondsInWords(counters.savedMncs)} core-seconds not computed twice)`,
      ],
    ],
    paint,
  );
}
