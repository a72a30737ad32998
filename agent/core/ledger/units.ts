/** What amounts are counted in; integers, always. */
import type { Unit } from '../records.ts';

/** Milli-normalised-core-seconds: thousandths of what the reference core does in a second. */
export const CPU = 'cpuMncs' as Unit;
/** The same of the reference GPU. */
export const GPU = 'gpuMncs' as Unit;
export const ENERGY = 'mWh' as Unit;
