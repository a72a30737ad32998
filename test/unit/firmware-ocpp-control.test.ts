/** What the OCPP adapter writes to a pile and to its CSMS: valid, expiring by itself, never more than was allowed. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import {
  createOcppFirmware,
  type ControlOutcome,
  type FirmwareAdapter,
} from '../../firmware-bridge/index.ts';
import type { OcppSubprotocol, TapAbility, TapLine, TapOutcome } from '../../firmware-bridge/ocpp/tap.ts';
import { SteppedClock } from '../../firmware-bridge/stepped-clock.ts';
import { parseConnectorId } from '../../firmware-bridge/connector-id.ts';
import { FakeTap } from '../fake-tap.ts';
import { OCPP_TEST_PSEUDONYMS } from '../ocpp-pile.ts';
import { schemaProblems } from '../ocpp-schemas.ts';

const START_WALL_MS = Date.UTC(2026, 10, 21, 12, 0, 0);
const ID = parseConnectorId('pile/1/1', 'pile');
const ACCEPTED: TapOutcome = { ok: true, payload: { status: 'Accepted' } };
const CAP = { powerMw: 11_000_000, forMs: 60_000 };
const RECORD = { id: 'r1', body: '{"mWh":7}', signature: 'c2lnbmVk' };

interface Scene {
  readonly tap: FakeTap;
  readonly clock: SteppedClock;
  readonly adapter: FirmwareAdapter;
  frame(action: string, payload: object, from?: 'pile' | 'csms', answer?: object): Promise<void>;
}

/** A pile with everything switched on, at which a vehicle charges in an open transaction. */
async function charging(
  t: TestContext,
  subprotocol: 'ocpp1.6' | 'ocpp2.0.1',
  clockBehindMs = 0,
): Promise<Scene> {
  const timestamp = new Date(START_WALL_MS - clockBehindMs).toISOString();
  const scene = await plugged(t, subprotocol, undefined, timestamp);
  if (subprotocol === 'ocpp1.6')
    await scene.frame('StartTransaction', { connectorId: 1, idTag: 'C', meterStart: 0, timestamp }, 'pile', {
      transactionId: 41,
      idTagInfo: { status: 'Accepted' },
    });
  else
    await scene.frame('TransactionEvent', {
      eventType: 'Started',
      timestamp,
      evse: { id: 1, connectorId: 1 },
      transactionInfo: { transactionId: 'tx', chargingState: 'Charging' },
    });
  return scene;
}

async function plugged(
  t: TestContext,
  subprotocol: OcppSubprotocol,
  allow: readonly TapAbility[] = ['cap', 'text', 'credit'],
  timestamp = new Date(START_WALL_MS).toISOString(),
) {
  const tap = new FakeTap();
  const clock = new SteppedClock(START_WALL_MS);
  tap.allow = allow;
  tap.answer = () => ACCEPTED;
  const adapter = createOcppFirmware({
    tapPath: 'nowhere',
    connect: tap.connect,
    clock,
    pseudonymize: OCPP_TEST_PSEUDONYMS,
    credit: { vendorId: 'org.example', messageId: 'credit' },
  });
  await adapter.start(() => undefined, new AbortController().signal);
  t.after(() => adapter.stop());
  await tap.settled();
  await tap.tell({ t: 'pile', pile: 'pile', atWallMs: START_WALL_MS, link: 'up', subprotocol });
  let id = 0;
  const frame: Scene['frame'] = async (action, payload, from = 'pile', answer) => {
    const name = `f${++id}`;
    const at = { t: 'frame', pile: 'pile', atWallMs: START_WALL_MS } as const;
    const lines: TapLine[] = [{ ...at, from, text: JSON.stringify([2, name, action, payload]) }];
    const other = from === 'pile' ? 'csms' : 'pile';
    if (answer !== undefined) lines.push({ ...at, from: other, text: JSON.stringify([3, name, answer]) });
    await tap.tell(...lines);
  };
  const status =
    subprotocol === 'ocpp1.6'
      ? { connectorId: 1, errorCode: 'NoError', status: 'Preparing', timestamp }
      : { evseId: 1, connectorId: 1, connectorStatus: 'Occupied', timestamp };
  await frame('StatusNotification', status);
  return { tap, clock, adapter, frame };
}

function controlOf({ adapter }: Scene) {
  assert.ok(adapter.control);
  return adapter.control;
}

function actionsOf({ tap }: Scene): readonly string[] {
  return tap.calls.map(({ action }) => action);
}

function codeOf(outcome: ControlOutcome): string {
  return outcome.ok ? 'ok' : outcome.code;
}

describe('a cap', () => {
  it('is a valid profile of the open transaction in 1.6 that ends by itself', async (t) => {
    const scene = await charging(t, 'ocpp1.6');
    assert.deepEqual(await controlOf(scene).setCap(ID, CAP), { ok: true });
    const [call] = scene.tap.calls;
    assert.deepEqual(schemaProblems('ocpp1.6', 'SetChargingProfile', 'req', call?.payload), []);
    assert.deepEqual(call?.payload, {
      connectorId: 1,
      csChargingProfiles: {
        chargingProfileId: 1_900_000_101,
        transactionId: 41,
        stackLevel: 0,
        chargingProfilePurpose: 'TxProfile',
        chargingProfileKind: 'Absolute',
        validTo: '2026-11-21T12:01:00.000Z',
        chargingSchedule: {
          startSchedule: '2026-11-21T12:00:00.000Z',
          duration: 60,
          chargingRateUnit: 'W',
          chargingSchedulePeriod: [{ startPeriod: 0, limit: 11_000 }],
        },
      },
    });
  });

  it('is valid in 2.0.1, and so is its end', async (t) => {
    const scene = await charging(t, 'ocpp2.0.1');
    assert.deepEqual(await controlOf(scene).setCap(ID, CAP), { ok: true });
    assert.deepEqual(await controlOf(scene).clearCap(ID), { ok: true });
    const problems = scene.tap.calls.map(({ action, payload }) =>
      schemaProblems('ocpp2.0.1', action, 'req', payload),
    );
    assert.deepEqual(problems, [[], []]);
  });

  it('is told in the times of a pile whose clock is an hour behind', async (t) => {
    const scene = await charging(t, 'ocpp2.0.1', 3_600_000);
    await controlOf(scene).setCap(ID, CAP);
    const { chargingProfile } = scene.tap.calls[0]?.payload as { chargingProfile: { validTo: string } };
    assert.equal(chargingProfile.validTo, '2026-11-21T11:01:00.000Z');
  });

  const theirs = (limit: number, more: object = {}, purpose = 'TxProfile') => ({
    connectorId: 1,
    csChargingProfiles: {
      chargingProfileId: 5,
      stackLevel: 3,
      chargingProfilePurpose: purpose,
      chargingProfileKind: 'Relative',
      chargingSchedule: {
        chargingRateUnit: 'W',
        chargingSchedulePeriod: [{ startPeriod: 0, limit }],
        ...more,
      },
    },
  });
  interface Sent {
    readonly csChargingProfiles: {
      readonly stackLevel: number;
      readonly chargingSchedule: { readonly chargingSchedulePeriod: readonly { readonly limit: number }[] };
    };
  }
  const sentBy = ({ tap }: Scene) => {
    const { csChargingProfiles } = tap.calls.at(-1)?.payload as Sent;
    const { stackLevel, chargingSchedule } = csChargingProfiles;
    return { stackLevel, limitW: chargingSchedule.chargingSchedulePeriod[0]?.limit };
  };

  it('never raises what the CSMS set, and replaces none of its profiles', async (t) => {
    const scene = await charging(t, 'ocpp1.6');
    await scene.frame('SetChargingProfile', theirs(12_000), 'csms', { status: 'Accepted' });
    await controlOf(scene).setCap(ID, CAP);
    assert.deepEqual(sentBy(scene), { stackLevel: 4, limitW: 11_000 });
    await scene.frame('ClearChargingProfile', { id: 5 }, 'csms', { status: 'Accepted' });
    await controlOf(scene).setCap(ID, CAP);
    assert.deepEqual(sentBy(scene), { stackLevel: 0, limitW: 11_000 });
  });

  it('is refused where the CSMS allows less, now or later, and never repeats that in our name', async (t) => {
    const scene = await charging(t, 'ocpp1.6');
    const chargingSchedulePeriod = [
      { startPeriod: 0, limit: 12_000 },
      { startPeriod: 18_000, limit: 0 },
    ];
    await scene.frame(
      'SetChargingProfile',
      theirs(0, { chargingSchedulePeriod }, 'TxDefaultProfile'),
      'csms',
    );
    assert.equal(codeOf(await controlOf(scene).setCap(ID, CAP)), 'refused');
    assert.deepEqual(actionsOf(scene), ['ClearChargingProfile']);
  });

  const LOWERED: readonly (readonly [what: string, profile: object])[] = [
    ['less', theirs(4_200)],
    ['in A', theirs(16, { chargingRateUnit: 'A' })],
  ];
  for (const [what, profile] of LOWERED)
    it(`is cleared as soon as the CSMS allows ${what}`, async (t) => {
      const scene = await charging(t, 'ocpp1.6');
      await controlOf(scene).setCap(ID, CAP);
      await scene.frame('SetChargingProfile', profile, 'csms', { status: 'Accepted' });
      assert.deepEqual(actionsOf(scene), ['SetChargingProfile', 'ClearChargingProfile']);
      await scene.frame('SetChargingProfile', theirs(4_000), 'csms', { status: 'Accepted' });
      assert.equal(scene.tap.calls.length, 2);
    });

  it('that could not be cleared is cleared when the CSMS sets the next limit, unless it has expired', async (t) => {
    const scene = await charging(t, 'ocpp1.6');
    await controlOf(scene).setCap(ID, CAP);
    scene.tap.answer = () => ({ ok: false, code: 'call_error', message: 'InternalError' });
    for (let times = 0; times < 2; times++) await scene.frame('SetChargingProfile', theirs(4_200), 'csms');
    assert.equal(scene.tap.calls.length, 3);
    scene.clock.advance(CAP.forMs + 1);
    await scene.frame('SetChargingProfile', theirs(4_200), 'csms');
    assert.equal(scene.tap.calls.length, 3);
  });

  it('stays where the CSMS allows more, and where one is set at another connector', async (t) => {
    const scene = await charging(t, 'ocpp1.6');
    await controlOf(scene).setCap(ID, CAP);
    await scene.frame('SetChargingProfile', theirs(22_000), 'csms');
    await scene.frame('SetChargingProfile', { ...theirs(4_200), connectorId: 2 }, 'csms');
    assert.deepEqual(actionsOf(scene), ['SetChargingProfile']);
  });

  it('is refused where the CSMS limits in A, and where no transaction is open', async (t) => {
    const scene = await charging(t, 'ocpp1.6');
    await scene.frame(
      'SetChargingProfile',
      theirs(16, { chargingRateUnit: 'A' }, 'TxDefaultProfile'),
      'csms',
    );
    assert.equal(codeOf(await controlOf(scene).setCap(ID, CAP)), 'refused');
    const idle = await plugged(t, 'ocpp1.6');
    assert.equal(codeOf(await controlOf(idle).setCap(ID, CAP)), 'refused');
    assert.deepEqual([...actionsOf(scene), ...actionsOf(idle)], ['ClearChargingProfile']);
  });

  it('that is gone already is cleared', async (t) => {
    const scene = await charging(t, 'ocpp1.6');
    scene.tap.answer = () => ({ ok: true, payload: { status: 'Unknown' } });
    assert.deepEqual(await controlOf(scene).clearCap(ID), { ok: true });
    assert.deepEqual(
      schemaProblems('ocpp1.6', 'ClearChargingProfile', 'req', scene.tap.calls[0]?.payload),
      [],
    );
  });
});

describe('a text on the display', () => {
  it('is valid and ends by itself in 2.0.1, and 1.6 has none', async (t) => {
    const scene = await charging(t, 'ocpp2.0.1');
    assert.deepEqual(await controlOf(scene).showText(ID, 'Code 4711', 90_000), { ok: true });
    const { payload } = scene.tap.calls[0] ?? {};
    assert.deepEqual(schemaProblems('ocpp2.0.1', 'SetDisplayMessage', 'req', payload), []);
    assert.equal(
      (payload as { message: { endDateTime: string } }).message.endDateTime,
      '2026-11-21T12:01:30.000Z',
    );
    const old = await charging(t, 'ocpp1.6');
    assert.equal(codeOf(await controlOf(old).showText(ID, 'Code 4711', 90_000)), 'unsupported');
  });
});

describe('a credit record', () => {
  for (const version of ['ocpp1.6', 'ocpp2.0.1'] as const)
    it(`goes to the CSMS of a ${version} pile as it was signed`, async (t) => {
      const scene = await plugged(t, version);
      assert.deepEqual(await controlOf(scene).sendCredit(ID, RECORD), { ok: true });
      const [call] = scene.tap.calls;
      assert.equal(call?.to, 'csms');
      assert.deepEqual(schemaProblems(version, 'DataTransfer', 'req', call.payload), []);
      const { vendorId, data } = call.payload as { vendorId: string; data: string };
      assert.equal(vendorId, 'org.example');
      assert.deepEqual(JSON.parse(data), RECORD);
    });

  const ANSWERS: readonly (readonly [said: string, code: string])[] = [
    ['UnknownVendorId', 'unsupported'],
    ['UnknownMessageId', 'unsupported'],
    ['Rejected', 'refused'],
    ['Accepted', 'ok'],
  ];
  for (const [status, code] of ANSWERS)
    it(`that is answered ${status} is ${code}`, async (t) => {
      const scene = await plugged(t, 'ocpp2.0.1');
      scene.tap.answer = () => ({ ok: true, payload: { status } });
      assert.equal(codeOf(await controlOf(scene).sendCredit(ID, RECORD)), code);
    });
});

describe('what the adapter may do', () => {
  it('is what is switched on in the relay, and nothing while it is away', async (t) => {
    const scene = await plugged(t, 'ocpp2.0.1');
    assert.deepEqual([...controlOf(scene).abilities], ['cap', 'text', 'credit']);
    await scene.tap.leave();
    assert.deepEqual([...controlOf(scene).abilities], []);
    assert.equal(codeOf(await controlOf(scene).setCap(ID, CAP)), 'not_enabled');
  });

  it('ends with a reason where the relay refuses, says nothing, or is lost', async (t) => {
    const scene = await charging(t, 'ocpp2.0.1');
    scene.tap.answer = () => ({ ok: false, code: 'call_error', message: 'NotImplemented' });
    assert.equal(codeOf(await controlOf(scene).setCap(ID, CAP)), 'refused');
    scene.tap.answer = undefined;
    const silent = controlOf(scene).setCap(ID, CAP);
    await scene.tap.settled();
    scene.clock.advance(9_000);
    assert.equal(codeOf(await silent), 'no_answer');
    const lost = controlOf(scene).setCap(ID, CAP);
    await scene.tap.settled();
    await scene.tap.leave();
    assert.equal(codeOf(await lost), 'link_lost');
  });

  it('is nothing at a connector of which no pile has spoken, or whose pile is away', async (t) => {
    const scene = await charging(t, 'ocpp1.6');
    const other = parseConnectorId('pile/9/1', 'pile');
    assert.equal(codeOf(await controlOf(scene).setCap(other, CAP)), 'unknown_connector');
    const at = { atWallMs: START_WALL_MS, subprotocol: 'ocpp1.6' } as const;
    await scene.tap.tell({ t: 'pile', pile: 'pile', link: 'down', ...at });
    assert.equal(codeOf(await controlOf(scene).clearCap(ID)), 'link_lost');
  });

  it('is nothing at a relay of a later version', async (t) => {
    const scene = await charging(t, 'ocpp1.6');
    scene.tap.version = 2;
    await scene.tap.leave();
    scene.tap.back();
    scene.clock.advance(5_000);
    await scene.tap.settled();
    assert.deepEqual([...controlOf(scene).abilities], []);
  });
});
