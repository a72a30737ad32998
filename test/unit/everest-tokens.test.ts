/** Whom a token names that was shown to EVerest, and how long it waits for its vehicle. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CONTRACT_TOKEN, EVCCID, RFID_TOKEN } from '../everest/simulated-everest.ts';
import { eventNow, MODULE, StoryScene } from '../everest/story-scene.ts';

/** Where EVerest's number of the EVSE is known, so that its tokens are. */
function tokenScene(): StoryScene {
  const scene = new StoryScene();
  scene.everest.answerEvse(`${MODULE}/get_evse/plugpool`);
  return scene;
}

function shown(scene: StoryScene): readonly string[] {
  return scene.take().map((event) => (event.kind === 'credential' ? event.credential.kind : event.kind));
}

test('a token that was used for this EVSE is said once a vehicle is there, and one that ends a transaction never', () => {
  const scene = tokenScene();
  scene.everest.showToken(RFID_TOKEN, 'Processing');
  scene.everest.showToken(RFID_TOKEN, 'Rejected');
  scene.everest.showToken(CONTRACT_TOKEN, 'Accepted');
  scene.everest.showToken(CONTRACT_TOKEN, 'UsedToStart');
  scene.everest.plugIn();
  assert.deepEqual(shown(scene), ['plugged', 'emaid', 'meter']);
  scene.everest.authorise(CONTRACT_TOKEN);
  scene.take();
  scene.everest.showToken(RFID_TOKEN, 'UsedToStop');
  scene.everest.showToken(RFID_TOKEN, 'UsedToStart');
  assert.deepEqual(scene.kinds(), []);
});

test('a token for any EVSE, for several, or for another one is nobody’s until the transaction starts', () => {
  const scene = new StoryScene();
  scene.everest.plugIn();
  scene.everest.showToken(RFID_TOKEN, 'UsedToStart');
  scene.everest.answerEvse(`${MODULE}/get_evse/plugpool`);
  for (const connectors of [undefined, [], [1, 2], [2]])
    scene.everest.showToken({ ...RFID_TOKEN, connectors } as never, 'UsedToStart');
  assert.deepEqual(scene.kinds(), ['plugged', 'meter']);
});

test('a card that is accepted names nobody before EVerest uses it: it may still refuse it for a reservation', () => {
  const scene = tokenScene();
  scene.everest.plugIn();
  scene.everest.showToken(RFID_TOKEN, 'Accepted');
  scene.everest.showToken(RFID_TOKEN, 'Rejected');
  assert.deepEqual(shown(scene), ['plugged', 'meter']);
});

for (const status of ['TimedOut', 'Rejected', 'Withdrawn', 'UsedToStop'])
  test(`a card that nobody came for is not the next vehicle’s once it is ${status}`, () => {
    const scene = tokenScene();
    scene.everest.showToken(RFID_TOKEN, 'UsedToStart');
    scene.everest.showToken(RFID_TOKEN, status);
    scene.everest.plugIn();
    assert.deepEqual(shown(scene), ['plugged', 'meter']);
  });

test('a token that is over takes back nothing of another one, nor at another EVSE', () => {
  const scene = tokenScene();
  scene.everest.showToken(RFID_TOKEN, 'UsedToStart');
  scene.everest.showToken({ ...RFID_TOKEN, connectors: [2] } as never, 'TimedOut');
  const other = { ...RFID_TOKEN, id_token: { value: '04FFFFFFFFFFFF', type: 'ISO14443' } };
  scene.everest.showToken(other, 'TimedOut');
  scene.everest.plugIn();
  assert.deepEqual(shown(scene), ['plugged', 'idToken', 'meter']);
});

test('a token that is over and names no EVSE is taken back everywhere', () => {
  const scene = tokenScene();
  scene.everest.showToken(RFID_TOKEN, 'UsedToStart');
  scene.everest.showToken({ ...RFID_TOKEN, connectors: undefined } as never, 'Withdrawn');
  scene.everest.plugIn();
  assert.deepEqual(shown(scene), ['plugged', 'meter']);
});

test('an EVSE whose authorisation was taken back knows no card any more', () => {
  const scene = tokenScene();
  scene.everest.showToken(RFID_TOKEN, 'UsedToStart');
  scene.say('session_event', eventNow('Deauthorized', 'u-1'));
  scene.everest.plugIn();
  assert.deepEqual(shown(scene), ['plugged', 'meter']);
});

test('a card waits ten minutes for its vehicle, and no longer', () => {
  for (const [waitedMs, kinds] of [
    [600_000, ['plugged', 'idToken', 'meter']],
    [600_001, ['plugged', 'meter']],
  ] as const) {
    const scene = tokenScene();
    scene.everest.showToken(RFID_TOKEN, 'UsedToStart');
    scene.nowMs += waitedMs;
    scene.everest.plugIn();
    assert.deepEqual(shown(scene), kinds);
  }
});

test('what a car told where it was not known who is there is not said of one that comes hours later', () => {
  const scene = new StoryScene();
  scene.everest.sayVehicle({ evccid: EVCCID, soc: 40 });
  scene.nowMs += 5 * 3_600_000;
  scene.everest.plugIn();
  assert.deepEqual(shown(scene), ['plugged', 'meter']);
});
