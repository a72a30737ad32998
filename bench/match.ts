/** What one decision of the matcher costs, by how many donors and waiting requests there are. */
export { run } from './match/scale.ts';
