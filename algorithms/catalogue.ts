/** The example algorithms that the project ships, one of each class and one type with a choice; docs/algorithms.md says what each does. */
import { lidarGroundExamples } from './lidar-ground/examples.ts';
import { routePlanExamples } from './route-plan/examples.ts';
import { signTextExamples } from './sign-text/examples.ts';
import type { ExampleAlgorithm } from './example.ts';

export type { ExampleAlgorithm } from './example.ts';

export async function exampleAlgorithms(): Promise<ExampleAlgorithm[]> {
  const examples = [routePlanExamples(), lidarGroundExamples(), signTextExamples()];
  return (await Promise.all(examples)).flat();
}
