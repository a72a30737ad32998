/** Live piles of an independent library behind a relay: each with one connector, in one OCPP version, and what happens there. */
import type { TestContext } from 'node:test';
import { connectPile, type Fields, type RpcPeer } from './ocpp-relay-scene.ts';

export interface LivePile {
  readonly identity: string;
  /** As the agent names it. */
  readonly connectorId: string;
  /** A vehicle comes, shows its card, and charges. */
  charge(card: string): Promise<void>;
  /** Resolves when the CSMS had answered. */
  unplug(): Promise<void>;
  peer: RpcPeer;
}

/** What a CSMS answers that accepts everything. */
export function acceptsAll() {
  let transactionId = 100;
  return (method: string, params: Fields): Fields => {
    switch (method) {
      case 'BootNotification':
        return { status: 'Accepted', interval: 30, currentTime: new Date().toISOString() };
      case 'StartTransaction':
        transactionId += 1;
        return { transactionId, idTagInfo: { status: 'Accepted' } };
      case 'TransactionEvent':
        return params['idToken'] === undefined ? {} : { idTokenInfo: { status: 'Accepted' } };
      case 'DataTransfer':
        return { status: 'Accepted' };
      default:
        return {};
    }
  };
}

export async function openPile16(t: TestContext, url: string, identity: string): Promise<LivePile> {
  const peer = await connectPile(t, url, identity, { protocols: ['ocpp1.6'], strictMode: true });
  await peer.call('BootNotification', { chargePointVendor: 'V', chargePointModel: 'M' });
  const status = (word: string) =>
    peer.call('StatusNotification', { connectorId: 1, errorCode: 'NoError', status: word });
  let transactionId = 0;
  await status('Available');
  return {
    identity,
    connectorId: `${identity}/1/1`,
    peer,
    async charge(card) {
      await status('Preparing');
      const timestamp = new Date().toISOString();
      const start = { connectorId: 1, idTag: card, meterStart: 0, timestamp };
      ({ transactionId } = (await peer.call('StartTransaction', start)) as { transactionId: number });
      await status('Charging');
    },
    async unplug() {
      const timestamp = new Date().toISOString();
      const reason = 'EVDisconnected';
      await peer.call('StopTransaction', { transactionId, meterStop: 900, timestamp, reason });
      await status('Available');
    },
  };
}

export async function openPile201(t: TestContext, url: string, identity: string): Promise<LivePile> {
  const peer = await connectPile(t, url, identity, { protocols: ['ocpp2.0.1'], strictMode: true });
  const chargingStation = { vendorName: 'V', model: 'M' };
  await peer.call('BootNotification', { reason: 'PowerUp', chargingStation });
  const status = (connectorStatus: string) =>
    peer.call('StatusNotification', {
      timestamp: new Date().toISOString(),
      evseId: 1,
      connectorId: 1,
      connectorStatus,
    });
  let transactions = 0;
  const event = (eventType: string, triggerReason: string, seqNo: number, more: Fields, info: Fields) =>
    peer.call('TransactionEvent', {
      eventType,
      triggerReason,
      seqNo,
      timestamp: new Date().toISOString(),
      evse: { id: 1, connectorId: 1 },
      transactionInfo: { transactionId: `${identity}-${transactions}`, ...info },
      ...more,
    });
  await status('Available');
  return {
    identity,
    connectorId: `${identity}/1/1`,
    peer,
    async charge(card) {
      transactions += 1;
      await status('Occupied');
      const idToken = { idToken: card, type: 'ISO14443' };
      await event('Started', 'Authorized', 0, { idToken }, { chargingState: 'EVConnected' });
      await event('Updated', 'ChargingStateChanged', 1, {}, { chargingState: 'Charging' });
    },
    async unplug() {
      await event('Ended', 'EVDeparted', 2, {}, { chargingState: 'Idle', stoppedReason: 'EVDisconnected' });
      await status('Available');
    },
  };
}
