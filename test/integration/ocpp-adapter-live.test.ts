/** The OCPP adapter over a real relay, with piles and a CSMS of an independent library: what it hears, recalls, and writes. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { createOcppFirmware, type FirmwareAdapter, type FirmwareEvent } from '../../firmware-bridge/index.ts';
import { parseConnectorId } from '../../firmware-bridge/connector-id.ts';
import { FirmwareOrder } from '../conformance/firmware-order.ts';
import { OCPP_TEST_PSEUDONYMS, shown } from '../ocpp-pile.ts';
import { acceptsAll, openPile16, openPile201, type LivePile } from './ocpp-live-piles.ts';
import { startCsms, startRelay, type Fields } from './ocpp-relay-scene.ts';

const WAIT_MS = 10_000;
const ALLOW = ['cap', 'text', 'credit'];
const RECORD = { id: 'r1', body: '{"mWh":7}', signature: 'c2lnbmVk' };

/** Whoever listens to the adapter, and waits for what it tells. */
class Listener {
  readonly told: string[] = [];
  readonly adapter: FirmwareAdapter;
  readonly #order = new FirmwareOrder();
  #look: (() => void) | undefined;

  constructor(tapPath: string) {
    const credit = { vendorId: 'org.example', messageId: 'credit' };
    this.adapter = createOcppFirmware({ tapPath, credit, pseudonymize: OCPP_TEST_PSEUDONYMS });
  }

  async start(t: TestContext): Promise<this> {
    const onEvent = (event: FirmwareEvent): void => {
      assert.deepEqual(this.#order.see(event), []);
      this.told.push(shown(event));
      this.#look?.();
    };
    await this.adapter.start(onEvent, new AbortController().signal);
    t.after(() => this.adapter.stop());
    return this;
  }

  /** Resolves with what was told up to this, and forgets it. */
  until(last: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const bound = setTimeout(
        () => reject(new Error(`${last} did not come: ${this.told.join(' ')}`)),
        WAIT_MS,
      );
      this.#look = () => {
        const end = this.told.indexOf(last);
        if (end < 0) return;
        clearTimeout(bound);
        this.#look = undefined;
        resolve(this.told.splice(0, end + 1).join(' '));
      };
      this.#look();
    });
  }
}

const STAY = {
  'ocpp1.6': 'plugged meter(0Wh) credential(idToken) transactionStarted(101) chargingStarted',
  'ocpp2.0.1': 'plugged transactionStarted(CP-1) credential(idToken) chargingStarted',
} as const;
/** What is known of it already comes in one order. */
const AGAIN = {
  'ocpp1.6': 'plugged credential(idToken) transactionStarted(101) chargingStarted meter(0Wh)',
  'ocpp2.0.1':
    'plugged credential(idToken) transactionStarted(CP-1) chargingStarted meter(1500Wh) evInfo(42%)',
} as const;
const METER_VALUES = {
  evseId: 1,
  meterValue: [
    {
      timestamp: new Date().toISOString(),
      sampledValue: [{ value: 1500 }, { value: 42, measurand: 'SoC' }],
    },
  ],
};
const OPEN = { 'ocpp1.6': openPile16, 'ocpp2.0.1': openPile201 } as const;

async function scene(t: TestContext, version: keyof typeof OPEN) {
  const heard: { readonly method: string; readonly params: Fields }[] = [];
  const accept = acceptsAll();
  const csms = await startCsms(t, {
    answer: (method, params) => {
      heard.push({ method, params });
      return accept(method, params);
    },
  });
  const relay = await startRelay(t, csms, { allow: ALLOW });
  const listener = await new Listener(relay.tapPath).start(t);
  const pile: LivePile = await OPEN[version](t, relay.url, 'CP');
  await listener.until('unplugged');
  return { heard, relay, listener, pile, connectorId: parseConnectorId('CP/1/1', 'CP') };
}

describe('the OCPP adapter over a real relay', () => {
  for (const version of ['ocpp1.6', 'ocpp2.0.1'] as const)
    it(`hears a stay of ${version}, is told it again after a restart, and sees the link lost and back`, async (t) => {
      const { relay, listener, pile } = await scene(t, version);
      await pile.charge('CARD1');
      assert.equal(await listener.until('chargingStarted'), STAY[version]);
      if (version === 'ocpp2.0.1') await pile.peer.call('MeterValues', METER_VALUES);
      await listener.adapter.stop();

      const again = await new Listener(relay.tapPath).start(t);
      const last = AGAIN[version].split(' ').at(-1) ?? '';
      assert.equal(await again.until(last), AGAIN[version]);
      await pile.peer.close({ force: true });
      assert.equal(await again.until('linkLost'), 'linkLost');
      const back = await OPEN[version](t, relay.url, 'CP');
      assert.equal(await again.until('unplugged'), 'linkUp unplugged');
      await back.charge('CARD1');
      await again.until('chargingStarted');
      await relay.relay.stop();
      assert.equal(await again.until('linkLost'), 'linkLost');
    });

  for (const version of ['ocpp1.6', 'ocpp2.0.1'] as const)
    it(`writes to a pile of ${version} that keeps the schema, and the CSMS hears nothing but the credit`, async (t) => {
      const { heard, listener, pile, connectorId } = await scene(t, version);
      const asked: string[] = [];
      for (const method of ['SetChargingProfile', 'ClearChargingProfile', 'SetDisplayMessage'])
        pile.peer.handle(method, () => {
          asked.push(method);
          return { status: 'Accepted' };
        });
      await pile.charge('CARD1');
      await listener.until('chargingStarted');
      const { control } = listener.adapter;
      assert.ok(control);
      heard.length = 0;
      assert.deepEqual(await control.setCap(connectorId, { powerMw: 11e6, forMs: 60_000 }), { ok: true });
      assert.deepEqual(await control.clearCap(connectorId), { ok: true });
      const shownText = await control.showText(connectorId, 'Code 4711', 60_000);
      assert.equal(shownText.ok, version === 'ocpp2.0.1');
      assert.deepEqual(await control.sendCredit(connectorId, RECORD), { ok: true });
      const texts = version === 'ocpp2.0.1' ? ['SetDisplayMessage'] : [];
      assert.deepEqual(asked, ['SetChargingProfile', 'ClearChargingProfile', ...texts]);
      assert.deepEqual(
        heard.map(({ method }) => method),
        ['DataTransfer'],
      );
      assert.deepEqual(JSON.parse(String(heard[0]?.params['data'])), RECORD);
    });
});
