/** The commands' side of the control socket: one connection, one question at a time. */
import { createConnection, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { ControlSocketError } from './control-socket-error.ts';
import { ANSWER_BYTES_MAX, pathProblem, readLines, type ControlAnswer } from './protocol.ts';

const ANSWER_TIMEOUT_MS = 30_000;

type Settle = { readonly resolve: (answer: ControlAnswer) => void; readonly reject: (error: Error) => void };

export class ControlClient {
  readonly #path: string;
  readonly #timeoutMs: number;
  #socket: Socket | undefined;
  #waiting: Settle | undefined;
  #questions = 0;

  constructor(path: string, timeoutMs = ANSWER_TIMEOUT_MS) {
    this.#path = path;
    this.#timeoutMs = timeoutMs;
  }

  /** Rejects with a `ControlSocketError`: what the agent refused, or that none answers. */
  async ask(verb: string, args: object = {}): Promise<unknown> {
    const socket = (this.#socket ??= await this.#connect());
    this.#questions += 1;
    const line = `${JSON.stringify({ id: this.#questions, verb, args })}\n`;
    const answer = await new Promise<ControlAnswer>((resolve, reject) => {
      this.#waiting = { resolve, reject };
      socket.write(line);
    });
    if (answer.ok) return answer.value;
    throw new ControlSocketError(answer.error);
  }

  close(): void {
    this.#socket?.destroy();
    this.#socket = undefined;
  }

  async #connect(): Promise<Socket> {
    const problem = pathProblem(this.#path);
    if (problem !== undefined) throw new ControlSocketError(problem);
    const socket = createConnection(this.#path);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', (error) => reject(noAgent(this.#path, error)));
    });
    const fail = (what: string): void => {
      this.#waiting?.reject(notAnswering(this.#path, what));
      this.#waiting = undefined;
      // The next question connects anew.
      if (this.#socket === socket) this.#socket = undefined;
      socket.destroy();
    };
    socket.setTimeout(this.#timeoutMs, () => fail(`gave no answer within ${this.#timeoutMs / 1000} s`));
    socket.on('error', (error) => fail(`broke the connection: ${error.message}`));
    socket.on('close', () => fail('closed the connection; it may be stopping'));
    readLines(
      socket,
      ANSWER_BYTES_MAX,
      (line) => this.#answered(line, fail),
      () => fail('answered more than 64 MiB'),
    );
    return socket;
  }

  #answered(line: string, fail: (what: string) => void): void {
    try {
      const answer = JSON.parse(line) as ControlAnswer;
      this.#waiting?.resolve(answer);
      this.#waiting = undefined;
    } catch {
      fail('gave an answer that is no JSON; is its version another one?');
    }
  }
}

function noAgent(path: string, cause: NodeJS.ErrnoException): ControlSocketError {
  const dataDir = dirname(path);
  switch (cause.code) {
    case 'ENOENT':
    case 'ENOTDIR':
    case 'ECONNREFUSED':
      return new ControlSocketError(
        {
          code: 'agent_not_running',
          detail: `no agent runs on the data directory ${dataDir}`,
          hint: 'start one with "plugpool-agent", or name its directory with --data-dir',
        },
        cause,
      );
    case 'EACCES':
    case 'EPERM':
      return new ControlSocketError(
        {
          code: 'not_permitted',
          detail: `this user may not operate the agent of ${dataDir}`,
          hint: 'run the command as the user of the agent, or as root',
        },
        cause,
      );
    default:
      return notAnswering(path, `cannot be reached: ${cause.message}`, cause);
  }
}

function notAnswering(path: string, what: string, cause?: Error): ControlSocketError {
  const detail = `the agent at ${path} ${what}`;
  return new ControlSocketError(
    { code: 'agent_unreachable', detail, hint: 'look at its log, and ask again' },
    cause,
  );
}
