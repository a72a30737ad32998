/** Donors that have what a test says, one vehicle that asks them, and time that passes while they compute. */
import type { DownBody, LeaseId, Wants } from '@plugpool/proto';
import {
  bodiesOf,
  completed,
  request,
  SimulatedPile,
  type Has,
  type SentBody,
} from '../simulation/simulated-pile.ts';

type Offer = Extract<DownBody, { kind: 'offer' }>;

export function offersIn(sent: readonly SentBody[]): Offer[] {
  return bodiesOf(sent, 'offer');
}

export function pileOf(donors: Readonly<Record<string, Has>>, settings = {}): SimulatedPile {
  const pile = new SimulatedPile(settings);
  for (const [vehicleId, has] of Object.entries(donors)) {
    pile.plug(vehicleId);
    pile.lend(vehicleId, has);
  }
  pile.ask('asker');
  return pile;
}

export function ask(pile: SimulatedPile, id: string, algorithm: string, wants: Wants = {}): SentBody[] {
  return pile.say('asker.ask-1', request(id, algorithm, { wants }));
}

/** All that a vehicle runs ends. */
export function finishAll(pile: SimulatedPile, vehicleId: string): SentBody[] {
  return pile.step(
    ...heldBy(pile, vehicleId).map((lease) => pile.message(`${vehicleId}.lend`, completed(lease))),
  );
}

export function heldBy(pile: SimulatedPile, vehicleId: string): LeaseId[] {
  const donor = [...pile.state.donors.values()].find((each) => each.vehicleId === vehicleId);
  return [...(donor?.leased.values() ?? [])].flatMap(({ instanceId, lease }) =>
    lease === undefined ? [] : [{ instanceId, fencingToken: lease.fencingToken }],
  );
}

/** Time passes while vehicles say that they are there and compute. */
export function compute(pile: SimulatedPile, forMs: number, ...vehicles: string[]): SentBody[] {
  const sent: SentBody[] = [];
  for (let leftMs = forMs; leftMs > 0; leftMs -= 5_000) {
    sent.push(...pile.pass(Math.min(5_000, leftMs)));
    for (const vehicleId of vehicles) {
      const held = heldBy(pile, vehicleId).map((lease) => ({ lease, progressPermille: 1, cpuMs: 1 }));
      sent.push(...pile.say(`${vehicleId}.lend`, { kind: 'renewal', held }));
      const donor = [...pile.state.donors.values()].find((each) => each.vehicleId === vehicleId);
      if (donor?.report !== undefined) sent.push(...pile.say(`${vehicleId}.lend`, donor.report));
    }
  }
  return sent;
}

export function tasks(sent: readonly SentBody[]): string[] {
  return offersIn(sent).map(({ taskId }) => taskId);
}
