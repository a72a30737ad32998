/** Reads `MeterValue` lists of both OCPP versions: text values in 1.6, numbers with multipliers in 2.0.1. */
import { fieldsOf, listOf, numberOf, textOf, wallMsOf, type Fields } from './payload-fields.ts';

/** An energy register as it is labelled; whether the label is right, `energy-register.ts` decides. */
export interface LabelledEnergy {
  readonly value: number;
  readonly label: 'Wh' | 'kWh';
}

export interface MeterReading {
  readonly sourceWallMs?: number | undefined;
  readonly energy?: LabelledEnergy | undefined;
  readonly powerW?: number | undefined;
  readonly socPercent?: number | undefined;
  /** OCMF text as the meter signed it. */
  readonly ocmf?: string | undefined;
}

interface Sample {
  readonly measurand: string;
  readonly phase: string | undefined;
  readonly location: string | undefined;
  readonly unit: string | undefined;
  readonly value: number;
}

const ENERGY = 'Energy.Active.Import.Register';
const POWER = 'Power.Active.Import';
const SOC = 'SoC';

/** What the standard means where nothing is said: the energy register, at the outlet, in Wh. */
const DEFAULT_MEASURAND = ENERGY;

export function readMeterValues(value: unknown): readonly MeterReading[] {
  return listOf(value)
    .map(readMeterValue)
    .filter(({ energy, powerW, socPercent, ocmf }) => (energy ?? powerW ?? socPercent ?? ocmf) !== undefined);
}

function readMeterValue(meterValue: Fields): MeterReading {
  const sampled = listOf(meterValue['sampledValue']);
  const samples = sampled.map(readSample).filter((sample) => sample !== undefined);
  return {
    sourceWallMs: wallMsOf(meterValue['timestamp']),
    energy: energyOf(samples),
    powerW: powerOf(samples),
    socPercent: samples.find(({ measurand }) => measurand === SOC)?.value,
    ocmf: sampled.map(ocmfOf).find((ocmf) => ocmf !== undefined),
  };
}

function readSample(sampled: Fields): Sample | undefined {
  const { multiplier, unit } = unitOf(sampled);
  const value = numberOf(sampled['value']);
  if (value === undefined) return undefined;
  return {
    measurand: textOf(sampled['measurand']) ?? DEFAULT_MEASURAND,
    phase: textOf(sampled['phase']),
    location: textOf(sampled['location']),
    unit,
    value: value * 10 ** multiplier,
  };
}

/** 1.6 says `unit`, 2.0.1 `unitOfMeasure` with a power of ten. */
function unitOf(sampled: Fields): { readonly unit: string | undefined; readonly multiplier: number } {
  const measure = fieldsOf(sampled['unitOfMeasure']);
  const multiplier = numberOf(measure['multiplier']) ?? 0;
  return {
    unit: textOf(measure['unit']) ?? textOf(sampled['unit']),
    multiplier: Number.isInteger(multiplier) && Math.abs(multiplier) <= 12 ? multiplier : 0,
  };
}

function energyOf(samples: readonly Sample[]): LabelledEnergy | undefined {
  const value = totalOf(samples, ENERGY, ({ unit }) => unit === undefined || isUnit(unit, 'Wh', 'kWh'));
  if (value === undefined) return undefined;
  return { value: value.total, label: isUnit(value.unit ?? 'Wh', 'kWh') ? 'kWh' : 'Wh' };
}

function powerOf(samples: readonly Sample[]): number | undefined {
  const value = totalOf(samples, POWER, ({ unit }) => unit === undefined || isUnit(unit, 'W', 'kW'));
  if (value === undefined) return undefined;
  return isUnit(value.unit ?? 'W', 'kW') ? value.total * 1000 : value.total;
}

/** The reading over all phases; where there is none, the sum of the phases. The outlet's before any other place's. */
function totalOf(
  samples: readonly Sample[],
  measurand: string,
  hasRightUnit: (sample: Sample) => boolean,
): { readonly total: number; readonly unit: string | undefined } | undefined {
  const all = samples.filter((sample) => sample.measurand === measurand && hasRightUnit(sample));
  const outlet = all.filter(({ location }) => location === undefined || location === 'Outlet');
  const fitting = outlet.length > 0 ? outlet : all;
  const total = fitting.find(({ phase }) => phase === undefined) ?? undefined;
  if (total !== undefined) return { total: total.value, unit: total.unit };
  const phases = new Map(fitting.filter(isOfOnePhase).map((sample) => [sample.phase, sample]));
  const [first] = phases.values();
  if (first === undefined) return undefined;
  let sum = 0;
  for (const { value } of phases.values()) sum += value;
  return { total: sum, unit: first.unit };
}

/** `L1` or `L1-N`; `L1-L2` is between two phases and would count twice. */
function isOfOnePhase({ phase }: Sample): boolean {
  return phase !== undefined && /^L[123](?:-N)?$/.test(phase);
}

/** Real piles write `Kwh` and `KW` as well. */
function isUnit(unit: string, ...units: readonly string[]): boolean {
  return units.some((known) => known.toLowerCase() === unit.toLowerCase());
}

/**
 * 2.0.1: `signedMeterValue`; 1.6: a value of format `SignedData`, which is either OCMF itself or the JSON text of what 2.0.1 has.
 * Base64 is the transport's and is taken off; what the meter signed stays as it is.
 */
function ocmfOf(sampled: Fields): string | undefined {
  const signed = fieldsOf(sampled['signedMeterValue']);
  const data = textOf(signed['signedMeterData']) ?? signedDataOf(sampled);
  if (data === undefined) return undefined;
  if (data.startsWith('OCMF|')) return data;
  const decoded = Buffer.from(data, 'base64').toString('utf8');
  return decoded.startsWith('OCMF|') ? decoded : undefined;
}

function signedDataOf(sampled: Fields): string | undefined {
  if (sampled['format'] !== 'SignedData') return undefined;
  const value = textOf(sampled['value']);
  if (value === undefined || !value.startsWith('{')) return value;
  try {
    return textOf(fieldsOf(JSON.parse(value))['signedMeterData']);
  } catch {
    return undefined;
  }
}
