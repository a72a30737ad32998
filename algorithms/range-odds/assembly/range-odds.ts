/**
 * The command `range-odds`: how likely a vehicle arrives with what is in its battery, and with how much left, by driving the
 * trip a great many times through wind and weather. It may run for hours, and keeps its state: trips driven, the generator, the
 * counts. All of it is whole numbers, so that a run that was interrupted anywhere gives the same bytes as one that was not.
 */
import { keepState, readState } from '../../checkpoint/assembly/checkpoint';
import { fail, readInput, writeOutputText } from '../../stdio/assembly/stdio';

const INPUT_BYTES_MAX = 4096;
const BINS = 20;
/** Behind the bins: those that did not arrive. */
const COUNTS = BINS + 1;
const WIND_RANGE: i64 = 512;
const STATE_BYTES = 8 * (3 + COUNTS);

class Question {
  trips: i64 = 0;
  seed: i64 = 0;
  km: i64 = 0;
  batteryWh: i64 = 0;
  whPerKm: i64 = 0;
  spreadWh: i64 = 0;
  keepEvery: i64 = 100000;
}

function numberAt(words: string[], index: i32, least: i64, most: i64): i64 {
  if (index >= words.length) fail('the line "' + words.join(' ') + '" lacks a number');
  const text = words[index];
  const value = I64.parseInt(text, 10);
  if (value.toString() != text) fail('"' + text + '" is no whole number');
  if (value < least || value > most)
    fail(words[0] + ' must be from ' + least.toString() + ' to ' + most.toString());
  return value;
}

function readLine(question: Question, words: string[]): void {
  if (words[0] == 'trips') question.trips = numberAt(words, 1, 1, 1000000000);
  else if (words[0] == 'seed') question.seed = numberAt(words, 1, 1, 1000000000);
  else if (words[0] == 'km') question.km = numberAt(words, 1, 1, 2000);
  else if (words[0] == 'battery') question.batteryWh = numberAt(words, 1, 1, 1000000);
  else if (words[0] == 'keep') question.keepEvery = numberAt(words, 1, 1, 1000000000);
  else if (words[0] == 'consumption') {
    question.whPerKm = numberAt(words, 1, 1, 10000);
    question.spreadWh = numberAt(words, 2, 0, 10000);
  } else fail('no line begins with "' + words[0] + '"');
}

function readQuestion(bytes: ArrayBuffer): Question {
  const lines = String.UTF8.decode(bytes).split('\n');
  if (lines[0] != 'range-odds 1') fail('the first line must be "range-odds 1"');
  const question = new Question();
  for (let i = 1; i < lines.length; i++) {
    if (lines[i].length > 0) readLine(question, lines[i].split(' '));
  }
  if (question.trips == 0) fail('trips is not given');
  if (question.seed == 0) fail('seed is not given');
  if (question.km == 0) fail('km is not given');
  if (question.batteryWh == 0) fail('battery is not given');
  if (question.whPerKm == 0) fail('consumption is not given');
  return question;
}

/** FNV-1a: the state of another question is none of this one's. */
function fingerprintOf(bytes: ArrayBuffer): u64 {
  let hash: u64 = 0xcbf29ce484222325;
  for (let i = 0; i < bytes.byteLength; i++) {
    hash = (hash ^ load<u8>(changetype<usize>(bytes) + i)) * 0x100000001b3;
  }
  return hash;
}

const state = new ArrayBuffer(STATE_BYTES);
const at: usize = changetype<usize>(state);
const counts: usize = at + 24;

/** What is left of the battery after one trip; 0 or less where it did not arrive. */
function drive(question: Question): i64 {
  let random = load<u64>(at, 16);
  let leftWh = question.batteryWh;
  let wind: i64 = 0;
  for (let km: i64 = 0; km < question.km && leftWh > 0; km++) {
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    wind = (wind * 7 + (<i64>(random >> 54) - WIND_RANGE)) / 8;
    leftWh -= question.whPerKm + (question.spreadWh * wind) / WIND_RANGE;
  }
  store<u64>(at, random, 16);
  return leftWh;
}

function count(question: Question, leftWh: i64): void {
  // A tail wind may bring energy back: more than full is full.
  const bin = leftWh <= 0 ? BINS : <i32>min<i64>(BINS - 1, (leftWh * BINS) / question.batteryWh);
  const where = counts + 8 * bin;
  store<u64>(where, load<u64>(where) + 1);
}

function answer(question: Question): string {
  const bins: string[] = [];
  for (let bin = 0; bin < BINS; bin++) bins.push(load<u64>(counts + 8 * bin).toString());
  const arrived = question.trips - <i64>load<u64>(counts + 8 * BINS);
  return (
    '{"trips":' +
    question.trips.toString() +
    ',"arrived":' +
    arrived.toString() +
    ',"leftTwentieths":[' +
    bins.join(',') +
    ']}\n'
  );
}

const input = readInput(INPUT_BYTES_MAX);
const question = readQuestion(input);
const fingerprint = fingerprintOf(input);
if (!readState(state) || load<u64>(at) != fingerprint || load<i64>(at, 8) > question.trips) {
  memory.fill(at, 0, STATE_BYTES);
  store<u64>(at, fingerprint);
  store<u64>(at, <u64>question.seed * 0x9e3779b97f4a7c15, 16);
}
for (let trip = load<i64>(at, 8); trip < question.trips; trip++) {
  count(question, drive(question));
  store<i64>(at, trip + 1, 8);
  if ((trip + 1) % question.keepEvery == 0) keepState(state);
}
writeOutputText(answer(question));
