/** Which programs a request may mean, and which of them could ever run at this pile. */
import type { Selector } from '@plugpool/proto';
import type { AlgorithmRecord } from '../records.ts';
import type { State } from '../state.ts';

/** The active algorithms that `selector` means, the preferred one first: less work, then the newer version. */
export function candidates(state: State, selector: Selector): AlgorithmRecord[] {
  const meant: AlgorithmRecord[] = [];
  for (const algorithm of state.algorithms.values())
    if (algorithm.state === 'active' && isMeant(algorithm, selector)) meant.push(algorithm);
  if (meant.length < 2) return meant;
  if (selector.by === 'algorithm') return [meant.reduce((a, b) => (isNewer(b, a) ? b : a))];
  return meant.sort((a, b) => a.workCoreS - b.workCoreS || (isNewer(a, b) ? -1 : 1));
}

function isMeant(algorithm: AlgorithmRecord, selector: Selector): boolean {
  if (selector.by === 'type') return algorithm.type === selector.type;
  if (algorithm.id !== selector.algorithmId) return false;
  return selector.version === undefined || algorithm.version === selector.version;
}

function isNewer(a: AlgorithmRecord, b: AlgorithmRecord): boolean {
  if (a.id !== b.id) return a.id < b.id;
  return compareVersions(a.version, b.version) > 0;
}

/** As semantic versions: numbers compare as numbers (1.10 is newer than 1.9), a pre-release is older than its release. */
export function compareVersions(a: string, b: string): number {
  const [aRelease, aPre] = splitOnce(a, '-');
  const [bRelease, bPre] = splitOnce(b, '-');
  const byRelease = compareParts(aRelease, bRelease);
  if (byRelease !== 0) return byRelease;
  if (aPre === undefined || bPre === undefined)
    return Number(aPre === undefined) - Number(bPre === undefined);
  return compareParts(aPre, bPre);
}

function splitOnce(text: string, mark: string): readonly [string, string | undefined] {
  const at = text.indexOf(mark);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

function compareParts(a: string, b: string): number {
  const as = a.split('.');
  const bs = b.split('.');
  for (let i = 0; i < Math.max(as.length, bs.length); i++) {
    const x = as[i] ?? '';
    const y = bs[i] ?? '';
    const byNumber = Number(x) - Number(y);
    if (Number.isNaN(byNumber)) {
      if (x !== y) return x < y ? -1 : 1;
    } else if (byNumber !== 0) return byNumber;
  }
  return 0;
}
