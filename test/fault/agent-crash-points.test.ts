/**
 * The agent as it runs on a pile, killed at every named point between receiving, committing and publishing, with real vehicles
 * around it. After each: the file is sound, the ledger adds up, nothing that anybody was told is missing, nothing is booked twice;
 * and it starts again and everything that was asked for ends with the right bytes.
 */
import { after, before, test } from 'node:test';
import { AGENT_POINTS, type AgentPoint } from './crash/crash-points.ts';
import { CrashPlan } from './crash/crash-plan.ts';
import { RealPile } from './real-pile/real-pile.ts';

/** Beside the first: passages that meet another message, or a batch in the middle of others. */
const LATER_PASSAGES: readonly (readonly [AgentPoint, number])[] = [
  ['request heard', 7],
  ['upload verified', 2],
  ['result heard', 4],
  ['booking synced', 3],
  ['one sent', 3],
];

const PASSAGES: readonly (readonly [AgentPoint, number])[] = [
  ...(Object.keys(AGENT_POINTS) as AgentPoint[]).map((point) => [point, 1] as const),
  ...LATER_PASSAGES,
];

const plan = new CrashPlan();
const wrapping = new URL('./crash/wrap-ports.ts', import.meta.url).href;
const pile = new RealPile({
  // As agent/bin starts it, but in one process from the beginning.
  agentNodeArgs: ['--max-semi-space-size=4', '--max-old-space-size=512', '--import', wrapping],
  agentEnv: plan.env,
  agentConfig: { storage: { foldLogEvery: '1s' } },
});
before(() => pile.start());
after(async () => {
  await pile.stop();
  plan.remove();
});

for (const [point, passage] of PASSAGES) {
  const which = passage === 1 ? '' : `, passage ${passage}`;
  test(`killed at ${point}${which}: ${AGENT_POINTS[point]}`, async () => {
    await bringTo(point, passage);
    await pile.assertNothingBroken();
    await pile.stage.startAgent();
    await pile.underWay.allEnded();
  });
}

test('after all of that every request has one task, one result, one delivery, and each part one booking', async () => {
  await pile.assertAllDone();
});

/** Has tasks under way when the agent comes past that point, and resolves when it is gone. */
async function bringTo(point: AgentPoint, passage: number): Promise<void> {
  if (point === 'store opened' || point === 'about to listen') return diesWhileItStarts(point);
  plan.arm({ point, passage });
  pile.underWay.askWave(`${point} ${passage}`);
  if (point === 'token bound') pile.connect('newcomer').catch(() => undefined);
  if (point === 'about to close') pile.stage.tellAgentToStop();
  await agentCrashedAt(point);
}

/** Two deaths: with tasks under way, and again before it could listen. */
async function diesWhileItStarts(point: AgentPoint): Promise<void> {
  pile.underWay.askWave(point);
  await pile.stage.killAgent();
  plan.arm({ point, passage: 1 });
  await pile.stage.startAgent().catch(() => undefined);
  await agentCrashedAt(point);
}

function agentCrashedAt(point: AgentPoint): Promise<void> {
  return plan.crashedAt(point, pile.stage.agentEnded(), () => pile.logTail());
}
