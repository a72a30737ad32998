/** `plugpool status`: the whole pile in ten lines. */
import type { Command } from 'commander';
import type { StatusAnswer } from '../control-views.ts';
import type { Paint } from './context.ts';
import { facts } from './table.ts';
import { answerFrom, showUsageOnError, withCommon, type CliProgram, type CommonFlags } from './verb.ts';
import { coresInWords, counted, durationInWords, percentInWords } from './words.ts';

export function addStatus(program: Command, cli: CliProgram): void {
  const command = withCommon(program.command('status')).description('the pile at a glance');
  showUsageOnError(command).action((flags: CommonFlags) =>
    answerFrom(cli, flags, async (agent) => {
      const status = (await agent.ask('status')) as StatusAnswer;
      return { document: status, page: (paint) => statusPage(status, paint) };
    }),
  );
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
      ['data', status.dataDir],
      ['vehicles', `${counted(status.clientsConnected, 'connection')}, ${status.donorsEligible} lend now`],
      ['free', lent],
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
        `${counters.refused} requests refused, ${counters.departures} runs lost because a vehicle left`,
      ],
    ],
    paint,
  );
}
