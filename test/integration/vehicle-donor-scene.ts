/** A donor beside a pile that follows a script: welcomed, and its first report of capacity heard. */
import type { TestContext } from 'node:test';
import type { Offer } from '@plugpool/proto';
import type { Donor } from '../../vehicle-client/donor.ts';
import { EchoRuntime } from '../../vehicle-client/runtimes/echo/runtime.ts';
import { startDonor, type DonorOptions } from '../../vehicle-client/start-donor.ts';
import { HeldRuntime, ToldProbe, donorOptions, runtimesOf, temporaryDirectory } from './vehicle-fixtures.ts';
import { ScriptedPile, echoOffer, type PileOptions } from './vehicle-scripted-pile.ts';

export const LENDER = 'lender.lend';

export interface DonorScene {
  readonly pile: ScriptedPile;
  readonly donor: Donor;
  readonly held: HeldRuntime;
  readonly probe: ToldProbe;
  readonly dataDir: string;
  /** With which another can be started. */
  readonly options: DonorOptions;
}

export async function donorScene(
  t: TestContext,
  pileOptions: PileOptions = {},
  over: Partial<DonorOptions> = {},
): Promise<DonorScene> {
  const pile = await ScriptedPile.start(pileOptions);
  const dataDir = temporaryDirectory(t);
  const held = new HeldRuntime();
  const probe = new ToldProbe();
  const options = donorOptions(pile.url, dataDir, {
    probe,
    runtimesInstead: runtimesOf(new EchoRuntime(), held),
    ...over,
  });
  const donor = await startDonor(options);
  // In this order: what is stopped first may still say goodbye.
  t.after(() => donor.stop());
  t.after(() => pile.stop());
  await pile.next('capacity');
  return { pile, donor, held, probe, dataDir, options };
}

/** Of a run that ends when the test says so. */
export function heldOffer(instanceId: string, over: Partial<Offer> = {}): Offer {
  return echoOffer(instanceId, new Uint8Array([1]), { runtime: 'wasm', ...over });
}
