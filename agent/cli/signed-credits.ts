/** Asks an agent for the credit records of a time. */
import type { ControlClient } from '../adapters/control-socket/control-client.ts';
import type { SignedPage } from '../credits/credit-care.ts';
import { FAR_WALL_MS, type TimeSpan } from './time-span.ts';

export type SignedCredit = SignedPage['credits'][number];

/** Page by page: each is one question to the agent. */
export async function* signedCredits(
  agent: ControlClient,
  { from = 0, to = FAR_WALL_MS }: TimeSpan,
): AsyncGenerator<readonly SignedCredit[]> {
  let next: number | undefined = 0;
  while (next !== undefined) {
    const page = (await agent.ask('credits', { after: next, fromWallMs: from, toWallMs: to })) as SignedPage;
    yield page.credits;
    next = page.next;
  }
}
