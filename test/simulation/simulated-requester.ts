/**
 * A vehicle of a simulated world that asks: it repeats what was not answered, acknowledges what it has, and starts again from
 * what it wrote down. What it is given must be what the program gives.
 */
import type { Delivery, DownBody, RequestId, TaskId, TaskRequest, Welcome } from '@plugpool/proto';
import type { Agenda } from './agenda.ts';
import type { Chance } from './chance.ts';
import { Conversation, type ConversationParts } from './conversation.ts';
import { outputOf } from './programs.ts';

/** A request that is refused for now is sent again, in the mean after this. */
const RETRY_MS = 1_000;

/** What it wrote down: what it asked, and how that ended. */
interface Asked {
  readonly body: TaskRequest;
  taskId: TaskId | undefined;
  end: Delivery | 'refused' | undefined;
}

export interface RequesterSurroundings {
  readonly agenda: Agenda;
  readonly chance: Chance;
  /** One vehicle returns wrong results: only where two must agree are they sure to be right. */
  readonly mayBeLiedTo: boolean;
  /** What cannot be. */
  violated(detail: string): void;
}

export class SimulatedRequester {
  readonly clientId: string;
  readonly #around: RequesterSurroundings;
  readonly #parts: Omit<ConversationParts, 'hello' | 'welcomed' | 'body' | 'lost'>;
  /** On its disk. */
  readonly #asked = new Map<RequestId, Asked>();
  readonly #open = new Map<RequestId, Asked>();
  #conversation: Conversation;

  constructor(
    around: RequesterSurroundings,
    parts: Omit<ConversationParts, 'hello' | 'welcomed' | 'body' | 'lost'>,
  ) {
    this.#around = around;
    this.#parts = parts;
    this.clientId = parts.clientId;
    this.#conversation = this.#newConversation();
  }

  #newConversation(): Conversation {
    return new Conversation({
      ...this.#parts,
      hello: () => ({ kind: 'hello', clientVersion: '1', held: [], runtimes: [] }),
      welcomed: (welcome) => this.#welcomed(welcome),
      body: (body) => this.#heard(body),
      lost: () => undefined,
    });
  }

  get openCount(): number {
    return this.#open.size;
  }

  get askedCount(): number {
    return this.#asked.size;
  }

  get isConnected(): boolean {
    return this.#conversation.welcome !== undefined;
  }

  start(): void {
    this.#conversation.start();
  }

  /** Its process dies and is started again after a while; the network of it too, or not. */
  die(hasPower: boolean): void {
    this.#conversation.stop(hasPower);
    for (const asked of this.#open.values()) asked.taskId = undefined;
    this.#conversation = this.#newConversation();
  }

  cut(way: 'up' | 'down' | 'both'): void {
    this.#conversation.cut(way);
  }

  ask(body: TaskRequest): void {
    const asked: Asked = { body, taskId: undefined, end: undefined };
    this.#asked.set(body.requestId, asked);
    this.#open.set(body.requestId, asked);
    this.#send(asked);
    this.#conversation.flush();
  }

  /** Of what is open, any. */
  cancelOne(): void {
    const asked = this.#anyOpen();
    if (asked === undefined) return;
    const { taskId, body } = asked;
    const which =
      taskId === undefined
        ? ({ by: 'request', requestId: body.requestId } as const)
        : ({ by: 'task', taskId } as const);
    this.#conversation.post({ kind: 'cancel', which });
    this.#conversation.flush();
  }

  /** The same id again, with another body: it must be refused. */
  reuseOne(): void {
    const asked = this.#anyOpen();
    if (asked === undefined) return;
    this.#conversation.post({ ...asked.body, args: ['another'] }, this.#conversation.nextCorrelationId());
    this.#conversation.flush();
  }

  #anyOpen(): Asked | undefined {
    return this.#open.size === 0 ? undefined : this.#around.chance.pick([...this.#open.values()]);
  }

  #send(asked: Asked): void {
    this.#conversation.post(asked.body, this.#conversation.nextCorrelationId());
  }

  #welcomed(_welcome: Welcome): void {
    this.#catchUp();
  }

  #catchUp(): void {
    let accepted = 0;
    for (const asked of this.#open.values())
      if (asked.taskId === undefined) this.#send(asked);
      else accepted += 1;
    if (accepted > 0) this.#conversation.post({ kind: 'statusQuery', deliver: true });
  }

  #heard(body: Exclude<DownBody, Welcome>): void {
    if (body.kind === 'accepted') this.#accepted(body.requestId, body.taskId);
    else if (body.kind === 'delivery') this.#delivered(body);
    else if (body.kind === 'refused' && body.requestId !== undefined) {
      const asked = this.#open.get(body.requestId);
      if (asked === undefined || body.reasons.some(({ code }) => code === 'request_id_reused')) return;
      if (body.retryable) this.#again(asked);
      else if (asked.taskId === undefined) this.#settle(asked, 'refused');
    }
  }

  #again(asked: Asked): void {
    this.#around.agenda.after(this.#around.chance.wait(RETRY_MS), () => {
      if (asked.end !== undefined || asked.taskId !== undefined) return;
      this.#send(asked);
      this.#conversation.flush();
    });
  }

  #accepted(requestId: RequestId, taskId: TaskId): void {
    const asked = this.#asked.get(requestId);
    if (asked === undefined)
      return this.#around.violated(`${this.clientId} was told of ${requestId}, which it never asked`);
    asked.taskId = taskId;
  }

  #delivered(delivery: Delivery): void {
    this.#accepted(delivery.requestId, delivery.taskId);
    const asked = this.#asked.get(delivery.requestId);
    if (asked === undefined) return;
    this.#verify(asked.body, delivery);
    this.#settle(asked, delivery);
    this.#conversation.post({ kind: 'deliveryAck', taskId: delivery.taskId });
  }

  #settle(asked: Asked, end: Delivery | 'refused'): void {
    asked.end ??= end;
    this.#open.delete(asked.body.requestId);
  }

  #verify(body: TaskRequest, { taskId, state, output, outputs }: Delivery): void {
    if (state !== 'completed') return;
    const all = outputs ?? (output === undefined ? [] : [output]);
    if (all.length !== (body.wants?.instances ?? 1))
      return this.#around.violated(`${taskId} completed with ${all.length} outputs`);
    if (this.#around.mayBeLiedTo && (body.wants?.quorum ?? 1) < 2) return;
    for (const [part, payload] of all.entries())
      if (payload.where !== 'inline' || Buffer.compare(payload.bytes, outputOf(body, part)) !== 0)
        this.#around.violated(`law 1: the output of part ${part} of ${taskId} is not what the program gives`);
  }
}
