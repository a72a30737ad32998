/** What the operator's `cap` does. */
import type { ConnectorId } from '@plugpool/proto';
import type { OperatorAnswer } from '../events.ts';
import { CAP_WANTED_MS_MAX, CAPPED_CONNECTORS_MAX } from '../limits.ts';
import type { Turn } from '../turn.ts';
import { capView } from './cap-view.ts';
import { dropCap, wantCap } from './caps.ts';

export interface WantedCap {
  readonly connectorId: ConnectorId;
  readonly powerMw: number;
  readonly forMs: number;
}

export function setCap(turn: Turn, wanted: WantedCap): OperatorAnswer {
  const refusal = whyNot(turn, wanted);
  if (refusal !== undefined) return { ok: false, ...refusal };
  const { connectorId } = wanted;
  if (!wantCap(turn, connectorId, 'operator', wanted)) return { ok: false, ...TOO_MANY };
  return { ok: true, value: { connectorId, cap: capView(turn.state, connectorId, turn.now) } };
}

export function clearCap(turn: Turn, connectorId: ConnectorId): OperatorAnswer {
  const refusal = whyNoConnector(turn, connectorId);
  if (refusal !== undefined) return { ok: false, ...refusal };
  dropCap(turn, connectorId, 'operator');
  return { ok: true, value: { connectorId, cap: capView(turn.state, connectorId, turn.now) } };
}

type Refused = Omit<Extract<OperatorAnswer, { ok: false }>, 'ok'>;

function whyNot(turn: Turn, { connectorId, powerMw, forMs }: WantedCap): Refused | undefined {
  const { caps, capMinMw } = turn.state.settings.power;
  if (!caps)
    return {
      code: 'caps_off',
      detail: 'this agent may not cap connectors',
      hint: 'set power.caps in the configuration, and what the adapter of this connector needs for it (docs/power.md)',
    };
  if (powerMw < capMinMw)
    return {
      code: 'cap_too_low',
      detail: `${powerMw / 1e6} kW are less than the ${capMinMw / 1e6} kW below which charging would end`,
      hint: 'ask for more; power.capMinKw is 6 A on all phases of the connector',
    };
  if (forMs > CAP_WANTED_MS_MAX)
    return {
      code: 'cap_too_long',
      detail: `a cap lasts ${CAP_WANTED_MS_MAX / 3_600_000} h at most`,
      hint: 'say it again then; what holds always is set at the station itself',
    };
  return whyNoConnector(turn, connectorId);
}

function whyNoConnector({ state }: Turn, connectorId: ConnectorId): Refused | undefined {
  if (state.sessions.has(connectorId) || state.caps.has(connectorId)) return undefined;
  return {
    code: 'connector_unknown',
    detail: `nothing was heard of the connector ${connectorId}`,
    hint: 'plugpool connectors lists those that the firmware speaks of',
  };
}

const TOO_MANY: Refused = {
  code: 'too_many_caps',
  detail: `${CAPPED_CONNECTORS_MAX} connectors are capped already`,
  hint: 'clear some of them: plugpool cap --connector N --clear',
};
