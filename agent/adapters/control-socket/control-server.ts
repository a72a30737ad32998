/** The agent's side of the control socket: mode 0600 in the data directory, so that who may open that directory may operate. */
import { createServer, type Server, type Socket } from 'node:net';
import { listenAt } from '@plugpool/firmware-bridge';
import { ControlSocketError } from './control-socket-error.ts';
import { pathProblem, QUESTION_BYTES_MAX, readLines, type ControlAnswer } from './protocol.ts';

export interface ControlServerOptions {
  readonly path: string;
  /** Must not reject. */
  readonly answer: (verb: string, args: unknown) => Promise<ControlAnswer>;
}

const CONNECTIONS_MAX = 32;
/** Questions of one connection that are not answered yet; beyond it nothing more is read. */
const QUESTIONS_MAX = 16;
/** A connection that asks nothing for so long is closed. */
const IDLE_MS = 60_000;

export class ControlServer {
  readonly #options: ControlServerOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #answering = new Set<Promise<void>>();

  constructor(options: ControlServerOptions) {
    this.#options = options;
    this.#server = createServer((socket) => this.#serve(socket));
    this.#server.maxConnections = CONNECTIONS_MAX;
  }

  /** Replaces the file that a dead agent left, never the socket of a living one. Rejects with a `ControlSocketError`. */
  async start(): Promise<void> {
    const { path } = this.#options;
    const problem = pathProblem(path);
    if (problem !== undefined) throw new ControlSocketError(problem);
    const listening = await listenAt(this.#server, path);
    if (listening.ok) return;
    throw listening.why === 'answered' ? inUse(path) : cannotListen(path, listening.cause);
  }

  /** Answers that are under way are still sent. Node removes the socket's file. */
  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.pause();
    await Promise.all(this.#answering);
    for (const socket of this.#sockets) socket.destroySoon();
    await closed;
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    let open = 0;
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    socket.setTimeout(IDLE_MS, () => {
      if (open === 0) socket.destroy();
    });
    const send = (answer: object): void => {
      if (socket.writable) socket.write(`${JSON.stringify(answer)}\n`);
    };
    const answer = async (line: string): Promise<void> => {
      open += 1;
      if (open >= QUESTIONS_MAX) socket.pause();
      send(await this.#answerLine(line));
      open -= 1;
      if (open < QUESTIONS_MAX && this.#server.listening) socket.resume();
    };
    readLines(
      socket,
      QUESTION_BYTES_MAX,
      (line) => this.#keep(answer(line)),
      () => {
        const detail = `the question has more than ${QUESTION_BYTES_MAX} bytes`;
        send({ id: null, ok: false, error: { code: 'malformed', detail, hint: 'ask in smaller parts' } });
        socket.destroySoon();
      },
    );
  }

  #keep(answered: Promise<void>): void {
    const kept = answered.finally(() => this.#answering.delete(kept));
    this.#answering.add(kept);
  }

  async #answerLine(line: string): Promise<object> {
    const question = parseQuestion(line);
    if (question === undefined) {
      const detail = 'the question is no JSON object with an id and a verb';
      const hint = 'write {"id":1,"verb":"status"} on one line';
      return { id: null, ok: false, error: { code: 'malformed', detail, hint } };
    }
    return { id: question.id, ...(await this.#options.answer(question.verb, question.args)) };
  }
}

interface Question {
  readonly id: number | string;
  readonly verb: string;
  readonly args: unknown;
}

function parseQuestion(line: string): Question | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof parsed !== 'object' || parsed === null) return undefined;
  const { id, verb, args } = parsed as Record<string, unknown>;
  if ((typeof id !== 'number' && typeof id !== 'string') || typeof verb !== 'string') return undefined;
  return { id, verb, args: args ?? {} };
}

function inUse(path: string): ControlSocketError {
  return new ControlSocketError({
    code: 'held',
    detail: `another agent answers on ${path}`,
    hint: 'stop the other agent, or give this one a directory of its own with --data-dir',
  });
}

function cannotListen(path: string, cause: unknown): ControlSocketError {
  const detail = `cannot make the control socket ${path}: ${cause instanceof Error ? cause.message : String(cause)}`;
  const hint = 'the data directory must be on a local file system that the user of the agent may write to';
  return new ControlSocketError({ code: 'control_socket', detail, hint }, cause);
}
