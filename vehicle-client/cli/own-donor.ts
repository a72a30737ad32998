/** What the owner's running donor answers, over its control socket. */
import type { CliContext } from './context.ts';
import { sourcesOf, type CommonFlags } from './options.ts';

/** Rejects with what to do where no donor runs. */
export async function answerOf(context: CliContext, flags: CommonFlags, question: object): Promise<unknown> {
  const [{ loadControlConfig }, { askDonor }, { dataPaths, defaultDataDir, parseVehicleId }] =
    await Promise.all([
      import('../config.ts'),
      import('../adapters/control-socket.ts'),
      import('../data-dir.ts'),
    ]);
  const { vehicle, dataDir } = loadControlConfig(sourcesOf(context, flags));
  const directory = dataDir ?? defaultDataDir(parseVehicleId(vehicle ?? ''), context.env);
  return askDonor(dataPaths(directory).controlSocket, question);
}
