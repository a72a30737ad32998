/** Writes a plan as one JSON document. */
import { Problem } from './problem';
import { BY_CHARGING, BY_LINK, BY_PLUGGING, Label } from './search';

class Totals {
  driveMs: i64 = 0;
  chargeMs: i64 = 0;
  linkMs: i64 = 0;
  distanceM: i64 = 0;
}

class PlanWriter {
  totals: Totals = new Totals();
  steps: string[] = [];

  constructor(
    private problem: Problem,
    private path: Label[],
  ) {}

  private cityOf(label: Label): i32 {
    return <i32>((label.node >> 1) % <u32>this.problem.names.length);
  }

  private edgeTo(from: i32, to: i32, link: bool, ms: i64, speed: i64): i64 {
    const edges = this.problem.edges[from];
    for (let i = 0; i < edges.length; i++) {
      const edge = edges[i];
      if (edge.to != to || edge.fixedMs > 0 != link) continue;
      if (link ? edge.fixedMs == ms : this.problem.driveMs(edge.distanceM, speed) == ms)
        return edge.distanceM;
    }
    return 0;
  }

  private writeLeg(before: Label, after: Label): void {
    const from = this.cityOf(before);
    const to = this.cityOf(after);
    const ms = <i64>(after.timeMs - before.timeMs);
    const link = after.how == BY_LINK;
    const speed: i64 = link ? 0 : this.problem.speedsKmh[after.how];
    const distanceM = this.edgeTo(from, to, link, ms, speed);
    this.totals.distanceM += distanceM;
    if (link) this.totals.linkMs += ms;
    else this.totals.driveMs += ms;
    this.steps.push(
      (link ? '{"do":"link","from":"' : '{"do":"drive","from":"') +
        this.problem.names[from] +
        '","to":"' +
        this.problem.names[to] +
        (link ? '"' : '","speedKmh":' + speed.toString() + ',"distanceM":' + distanceM.toString()) +
        this.socAndTime(before, after),
    );
  }

  private socAndTime(before: Label, after: Label): string {
    const ms = after.timeMs - before.timeMs;
    return (
      ',"fromStep":' +
      before.soc.toString() +
      ',"toStep":' +
      after.soc.toString() +
      ',"ms":' +
      ms.toString() +
      '}'
    );
  }

  /** Plugging in and the steps of charge that follow are one stop at a site. */
  private writeCharge(before: Label, after: Label): void {
    this.totals.chargeMs += after.timeMs - before.timeMs;
    this.steps.push(
      '{"do":"charge","at":"' + this.problem.names[this.cityOf(after)] + '"' + this.socAndTime(before, after),
    );
  }

  writeSteps(): void {
    let i = 1;
    while (i < this.path.length) {
      const before = this.path[i - 1];
      if (this.path[i].how != BY_PLUGGING) {
        this.writeLeg(before, this.path[i++]);
        continue;
      }
      while (i + 1 < this.path.length && this.path[i + 1].how == BY_CHARGING) i++;
      this.writeCharge(before, this.path[i++]);
    }
  }
}

export function planToJson(planner: string, optimal: bool, problem: Problem, path: Label[]): string {
  const writer = new PlanWriter(problem, path);
  writer.writeSteps();
  const totals = writer.totals;
  return (
    '{"planner":"' +
    planner +
    '","optimal":' +
    optimal.toString() +
    ',"from":"' +
    problem.names[problem.from] +
    '","to":"' +
    problem.names[problem.to] +
    '","totalMs":' +
    path[path.length - 1].timeMs.toString() +
    ',"driveMs":' +
    totals.driveMs.toString() +
    ',"chargeMs":' +
    totals.chargeMs.toString() +
    ',"linkMs":' +
    totals.linkMs.toString() +
    ',"distanceM":' +
    totals.distanceM.toString() +
    ',"socSteps":' +
    problem.socSteps.toString() +
    ',"steps":[' +
    writer.steps.join(',') +
    ']}\n'
  );
}
