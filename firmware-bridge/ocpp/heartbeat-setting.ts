/** How often a pile is to say something, where its CSMS changes that after the start: 1.6 by `ChangeConfiguration`, 2.0.1 by `SetVariables`. */
import { keepNewest } from './keep-newest.ts';
import { fieldsOf, listOf, numberOf, type Fields } from './payload-fields.ts';

const ASKED_MAX = 16;

export class HeartbeatSetting {
  /** By the id of the call, until the pile answered. */
  readonly #askedMs = new Map<string, number>();

  /** A call of the CSMS. */
  asked(id: string, action: string, payload: unknown): void {
    const seconds = secondsOf(action, fieldsOf(payload));
    if (seconds === undefined || seconds <= 0) return;
    keepNewest(this.#askedMs, ASKED_MAX);
    this.#askedMs.set(id, seconds * 1000);
  }

  /** What the pile's answer makes of it; absent where it is about something else, or was not accepted. */
  answered(id: string, payload: unknown): number | undefined {
    const askedMs = this.#askedMs.get(id);
    this.#askedMs.delete(id);
    const { status, setVariableResult } = fieldsOf(payload);
    const results = listOf(setVariableResult).map(({ attributeStatus }) => attributeStatus);
    return [status, ...results].includes('Accepted') ? askedMs : undefined;
  }
}

function secondsOf(action: string, fields: Fields): number | undefined {
  if (action === 'ChangeConfiguration')
    return fields['key'] === 'HeartbeatInterval' ? numberOf(fields['value']) : undefined;
  if (action !== 'SetVariables') return undefined;
  const set = listOf(fields['setVariableData']).find(
    ({ variable }) => fieldsOf(variable)['name'] === 'HeartbeatInterval',
  );
  return numberOf(set?.['attributeValue']);
}
