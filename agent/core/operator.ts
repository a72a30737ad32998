/** What an operator may change: a task, the catalogue, the sub-pools, and who lends at all. */
import type { TaskId } from '@plugpool/proto';
import { addAlgorithm, removeAlgorithm, retireAlgorithm } from './algorithms/operate.ts';
import { bindConnector, bindCredential, unbind } from './binding/operate.ts';
import { drain, resume } from './donors/drain.ts';
import { addCheck } from './checks/given-answers.ts';
import { assertNever } from './assert-never.ts';
import type { OperatorAnswer, OperatorCommand } from './events.ts';
import { settle } from './ledger/settle.ts';
import { clearCap, setCap } from './power/operate.ts';
import { planPoolsAnew, setPool } from './pools/operate.ts';
import { resetTrust } from './replicas/keep-trust.ts';
import { retryTask } from './tasks/retry.ts';
import { endTask } from './tasks/task-end.ts';
import { log, type Turn } from './turn.ts';

export function onOperator(turn: Turn, question: number, command: OperatorCommand): void {
  const answer = carryOut(turn, command);
  turn.effects.answers.push({ question, answer });
  log(turn, 'info', 'operator', {
    verb: command.verb,
    ok: answer.ok,
    ...(answer.ok ? {} : { code: answer.code }),
  });
}

function carryOut(turn: Turn, command: OperatorCommand): OperatorAnswer {
  switch (command.verb) {
    case 'cancel':
      return cancelTask(turn, command.taskId);
    case 'addCheck':
      return addCheck(turn, command);
    case 'resetTrust':
      return { ok: true, value: { wasKnown: resetTrust(turn, command.vehicleId) } };
    case 'retry':
      return retryTask(turn, command.ended);
    case 'addAlgorithm':
      return addAlgorithm(turn, command.algorithm);
    case 'retireAlgorithm':
      return retireAlgorithm(turn, command.id, command.version);
    case 'removeAlgorithm':
      return removeAlgorithm(turn, command.id, command.version);
    case 'setPool':
      return setPool(turn, command);
    case 'planPools':
      return planPoolsAnew(turn);
    case 'drain':
      return drain(turn, command.vehicleId);
    case 'resume':
      return resume(turn, command.vehicleId);
    case 'setCap':
      return setCap(turn, command);
    case 'clearCap':
      return clearCap(turn, command.connectorId);
    case 'bindCredential':
      return bindCredential(turn, command, command.credential);
    case 'bindConnector':
      return bindConnector(turn, command, command.connectorId, command.kind);
    case 'unbind':
      return unbind(turn, command.vehicleId, command.kind);
    case 'settle':
      return { ok: true, value: settle(turn, command.balances) };
    default:
      return assertNever(command);
  }
}

function cancelTask(turn: Turn, taskId: TaskId): OperatorAnswer {
  const task = turn.state.tasks.get(taskId);
  if (task === undefined) {
    const detail = `no open task ${taskId}`;
    return { ok: false, code: 'task_unknown', detail, hint: 'plugpool tasks lists the tasks' };
  }
  if (task.end !== undefined) {
    const detail = `task ${taskId} is ${task.end.state} already`;
    return { ok: false, code: 'task_ended', detail, hint: 'nothing is left to cancel' };
  }
  const detail = 'cancelled by the operator of the pile';
  endTask(turn, task, { state: 'cancelled', failure: { code: 'cancelled', detail, stderrTail: '' } });
  return { ok: true, value: { taskId, state: 'cancelled' } };
}
