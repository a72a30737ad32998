/** Children started ahead of their jobs, each used once: what a stranger's program left behind dies with its process. */
import type { ChildCommand } from './sandbox.ts';
import { SandboxedChild } from './sandboxed-child.ts';

/** Children alive at once, idle and busy; beyond it `take` rejects. Leases bound jobs long before. */
export const CHILDREN_MAX = 256;

export class ChildPool {
  readonly #command: ChildCommand;
  readonly #size: number;
  /** Oldest first: the one most likely to be ready. */
  readonly #idle: SandboxedChild[] = [];
  readonly #alive = new Set<SandboxedChild>();
  #stopped = false;

  constructor(command: ChildCommand, size: number) {
    this.#command = command;
    this.#size = size;
  }

  /** Rejects where a first child does not come up, so that a broken sandbox shows at start and not at the first task. */
  async start(): Promise<void> {
    const first = this.#spawn();
    await first.whenReady;
    if (this.#size === 0) first.kill();
    else this.#keep(first);
    this.refill();
  }

  /** A child that is ready. Rejects with the reason where none comes up. */
  async take(): Promise<SandboxedChild> {
    if (this.#stopped) throw new Error('the runtime is stopped');
    if (this.#alive.size >= CHILDREN_MAX) throw new Error(`${CHILDREN_MAX} programs run already`);
    const child = this.#idle.shift() ?? this.#spawn();
    await child.whenReady;
    return child;
  }

  /** Starts what is missing; called when a job has what it needs, so that the two do not compete. */
  refill(): void {
    while (!this.#stopped && this.#idle.length < this.#size && this.#alive.size < CHILDREN_MAX) {
      this.#keep(this.#spawn());
    }
  }

  idlePids(): number[] {
    return this.#idle.flatMap((child) => child.pids());
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#idle.length = 0;
    for (const child of this.#alive) child.kill();
    await Promise.all([...this.#alive].map((child) => child.closed));
  }

  #spawn(): SandboxedChild {
    const child = new SandboxedChild(this.#command);
    this.#alive.add(child);
    void child.closed.then(() => this.#alive.delete(child));
    child.start().catch(() => undefined);
    return child;
  }

  /** One that dies idle is only forgotten: it is replaced at the next job, so that a broken child is no restart loop. */
  #keep(child: SandboxedChild): void {
    this.#idle.push(child);
    void child.closed.then(() => {
      const index = this.#idle.indexOf(child);
      if (index >= 0) this.#idle.splice(index, 1);
    });
  }
}
