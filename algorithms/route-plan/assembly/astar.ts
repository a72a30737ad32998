/** The command `route-plan-astar`: the plan of least time, over every order of the stops. Input and output: docs/algorithms.md. */
import { fail, readInput, writeOutputText } from '../../stdio/assembly/stdio';
import { AnyOrder } from './itinerary';
import { planToJson } from './plan';
import { parseProblem } from './problem';
import { Search } from './search';

/** Every stop doubles the states. */
const STOPS_EXACT_MAX = 8;

const problem = parseProblem(readInput(1 << 20));
if (problem.stops.length > STOPS_EXACT_MAX) {
  fail('more than ' + STOPS_EXACT_MAX.toString() + ' stops; route-plan-anneal takes more');
}
const path = new Search(new AnyOrder(problem)).run();
if (path.length == 0)
  fail('no plan keeps the reserve: the next site is too far, or a place cannot be reached');
writeOutputText(planToJson('astar', true, problem, path));
