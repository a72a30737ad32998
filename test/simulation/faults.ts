/** What goes wrong in a simulated world, and how often: plain numbers, drawn from the seed; each kind is left out of half of the runs. */
import type { Chance } from './chance.ts';

/** Of each 1,000 messages, or of 1,000 commits; and mean times between two, of everything of that kind. */
export interface NetworkFaults {
  readonly delayMs: readonly [number, number];
  /** Up to seconds late, and with it whatever follows in its connection. */
  readonly slowPermille: number;
  /** Lost, and its direction of the connection with it. */
  readonly lossPermille: number;
  readonly doublePermille: number;
  /** Of an old connection, heard after the new one was made. */
  readonly ghostPermille: number;
  /** One direction, or both. */
  readonly cutEveryMs: number;
}

export interface DiskFaults {
  readonly commitMs: readonly [number, number];
  /** A commit that takes seconds, during which events pile up. */
  readonly slowPermille: number;
  /** Refused, nothing of it written. */
  readonly failPermille: number;
  /** For some seconds every commit is refused. */
  readonly fullEveryMs: number;
  /** Written, and then reported as failed. */
  readonly answerLostPermille: number;
}

export interface Faults {
  readonly network: NetworkFaults;
  readonly disk: DiskFaults;
  /** The agent's process dies: at some moment, or between two effects that it lets out. */
  readonly agentDiesEveryMs: number;
  /** Of those: between two effects. */
  readonly diesBetweenEffectsPermille: number;
  /** A vehicle is unplugged and drives away, and comes back somewhere. */
  readonly leavesEveryMs: number;
  /** … without a word from the firmware. */
  readonly unnoticedPermille: number;
  /** A vehicle's program stops, with or without power. */
  readonly donorDiesEveryMs: number;
  /** Ignition, pause and resume, heat, capacity that comes and goes. */
  readonly driverActsEveryMs: number;
  readonly firmwareFailsEveryMs: number;
  /** A vehicle hands in a result for a lease that is another's, or was its own and is no more. */
  readonly liesEveryMs: number;
  /** The operator drains a vehicle, or the pile, and lets it lend again. */
  readonly drainsEveryMs: number;
  /** Whether one of the vehicles returns wrong results, half of the time. */
  readonly hasLiar: boolean;
  readonly requesterDiesEveryMs: number;
  readonly cancelEveryMs: number;
  readonly clockJumpsEveryMs: number;
  readonly driftPpmMax: number;
}

export const NO_FAULTS: Faults = {
  network: {
    delayMs: [1, 5],
    slowPermille: 0,
    lossPermille: 0,
    doublePermille: 0,
    ghostPermille: 0,
    cutEveryMs: Infinity,
  },
  disk: {
    commitMs: [0.3, 2],
    slowPermille: 0,
    failPermille: 0,
    fullEveryMs: Infinity,
    answerLostPermille: 0,
  },
  agentDiesEveryMs: Infinity,
  diesBetweenEffectsPermille: 0,
  leavesEveryMs: Infinity,
  unnoticedPermille: 0,
  donorDiesEveryMs: Infinity,
  driverActsEveryMs: Infinity,
  firmwareFailsEveryMs: Infinity,
  liesEveryMs: Infinity,
  drainsEveryMs: Infinity,
  hasLiar: false,
  requesterDiesEveryMs: Infinity,
  cancelEveryMs: Infinity,
  clockJumpsEveryMs: Infinity,
  driftPpmMax: 0,
};

/** Runs in which everything goes wrong at once hide what shows only where most goes well. */
export function drawFaults(chance: Chance): Faults {
  const every = (fromMs: number, toMs: number): number =>
    chance.is(500) ? Infinity : chance.between(fromMs, toMs);
  const permille = (most: number): number => (chance.is(500) ? 0 : chance.between(0, most));
  return {
    network: {
      delayMs: chance.is(300) ? [1, 200] : [1, 20],
      slowPermille: permille(20),
      lossPermille: permille(20),
      doublePermille: permille(100),
      ghostPermille: permille(300),
      cutEveryMs: every(10_000, 120_000),
    },
    disk: {
      commitMs: chance.is(300) ? [5, 60] : [0.3, 5],
      slowPermille: permille(30),
      failPermille: permille(30),
      fullEveryMs: every(60_000, 600_000),
      answerLostPermille: permille(15),
    },
    agentDiesEveryMs: every(20_000, 300_000),
    diesBetweenEffectsPermille: 700,
    leavesEveryMs: every(20_000, 200_000),
    unnoticedPermille: permille(300),
    donorDiesEveryMs: every(20_000, 200_000),
    driverActsEveryMs: every(5_000, 100_000),
    firmwareFailsEveryMs: every(20_000, 300_000),
    liesEveryMs: every(5_000, 60_000),
    drainsEveryMs: every(60_000, 300_000),
    hasLiar: chance.is(250),
    requesterDiesEveryMs: every(20_000, 200_000),
    cancelEveryMs: every(20_000, 100_000),
    clockJumpsEveryMs: every(30_000, 300_000),
    driftPpmMax: chance.is(500) ? 200 : 10_000,
  };
}
