/** Shortest paths over the bare map, without the battery's bounds: what the search's lower bounds are made of. */
import { Edge, Problem } from './problem';

export const UNREACHED: i64 = i64.MAX_VALUE / 4;

/**
 * Least cost of one road: the drive time at a speed plus `priceMs` for each step of charge it takes, at the speed for
 * which that sum is least. A price of 0 gives the least drive time.
 */
function edgeCost(edge: Edge, priceMs: i64): i64 {
  if (edge.fixedMs > 0) return edge.fixedMs;
  let least = UNREACHED;
  for (let s = 0; s < edge.ms.length; s++) least = min(least, <i64>edge.ms[s] + priceMs * edge.soc[s]);
  return least;
}

/** Dijkstra from one city; the map has a few hundred cities, so the next one is found by looking at all. */
export function distancesFrom(problem: Problem, source: i32, priceMs: i64): StaticArray<i64> {
  const cities = problem.names.length;
  const cost = new StaticArray<i64>(cities);
  const settled = new StaticArray<bool>(cities);
  cost.fill(UNREACHED);
  cost[source] = 0;
  for (let round = 0; round < cities; round++) {
    let next = -1;
    for (let i = 0; i < cities; i++) {
      if (!settled[i] && cost[i] < UNREACHED && (next < 0 || cost[i] < cost[next])) next = i;
    }
    if (next < 0) break;
    settled[next] = true;
    const edges = problem.edges[next];
    for (let i = 0; i < edges.length; i++) {
      const edge = edges[i];
      const reached = cost[next] + edgeCost(edge, priceMs);
      if (reached < cost[edge.to]) cost[edge.to] = reached;
    }
  }
  return cost;
}
