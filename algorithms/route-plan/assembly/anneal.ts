/**
 * The command `route-plan-anneal`: finds a good order of many stops by simulated annealing, then the plan of least time
 * that keeps this order. Input and output are those of `route-plan-astar`; the order need not be the best.
 */
import { fail, readInput, writeOutputText } from '../../stdio/assembly/stdio';
import { FixedOrder } from './itinerary';
import { annealOrder } from './order';
import { planToJson } from './plan';
import { parseProblem } from './problem';
import { Search } from './search';

const problem = parseProblem(readInput(1 << 20));
const path = new Search(new FixedOrder(problem, annealOrder(problem))).run();
if (path.length == 0)
  fail('no plan keeps the reserve: the next site is too far, or a place cannot be reached');
writeOutputText(planToJson('anneal', false, problem, path));
