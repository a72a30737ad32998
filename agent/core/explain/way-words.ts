/** How the ways to run an instance are told apart, and what they need. */
import type { Demand } from '@plugpool/proto';
import type { Way } from '../waiting/need.ts';
import { counted, thousands } from './figures.ts';

/** Says what tells this one from the others. */
export function wayInWords(way: Way, ways: readonly Way[]): string {
  const { id, version } = way.algorithm;
  const name = ways.every(({ algorithm }) => algorithm.id === id) ? `version ${version}` : `${id} ${version}`;
  const parts = ways.every(({ algorithm }) => algorithm === way.algorithm) ? [] : [name];
  const siblings = ways.filter(({ algorithm }) => algorithm === way.algorithm);
  if (siblings.length > 1) parts.push(alternativeInWords(way, siblings));
  return parts.join(' ');
}

function alternativeInWords({ demand, alternative }: Way, siblings: readonly Way[]): string {
  const withGpu = siblings.filter((sibling) => sibling.demand.gpu !== undefined).length;
  if (demand.gpu !== undefined && withGpu === 1) return 'with a GPU';
  if (demand.gpu === undefined && siblings.length - withGpu === 1) return 'without a GPU';
  return `by its alternative ${alternative + 1}`;
}

export function demandInWords({ cpuMillicores, memoryMib, gpu }: Demand): string {
  const parts = [counted(cpuMillicores / 1000, 'core'), `${thousands(memoryMib)} MiB`];
  if (gpu !== undefined)
    parts.push(
      `${thousands(gpu.shareMillis)} thousandths of ${gpu.model ?? 'a GPU'} with ${thousands(gpu.vramMib)} MiB`,
    );
  return parts.join(', ');
}
