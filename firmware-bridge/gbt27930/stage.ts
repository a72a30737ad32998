/** Which stage of GB/T 27930-2015 (section 5) a session is in, as its messages show it. */
import type { Message } from './message.ts';

export type Stage =
  | 'handshake'
  | 'identification'
  | 'parameters'
  | 'charging'
  /** One of them waited in vain for the other; it goes on with a new identification, or not at all. */
  | 'broken'
  /** One of them ended the charging; it never goes on. */
  | 'ended';

/** The stage after this message. What ended does not go on: a frame that was still on its way changes nothing. */
export function stageOf(stage: Stage, message: Message): Stage {
  const shown = stageShownBy(message);
  if (shown === undefined || stage === 'ended') return stage;
  // The other may still ask to charge while it has not heard of the error.
  if (stage === 'broken' && shown === 'charging') return stage;
  // A last handshake crosses the first identification, and so on: only a new identification goes back.
  if (shown === 'handshake' && stage !== 'handshake') return stage;
  return shown;
}

function stageShownBy(message: Message): Stage | undefined {
  switch (message.kind) {
    case 'CHM':
    case 'BHM':
      return 'handshake';
    case 'CRM':
    case 'BRM':
      return 'identification';
    case 'BCP':
    case 'CTS':
    case 'CML':
    case 'BRO':
    case 'CRO':
      return 'parameters';
    case 'BCL':
    case 'BCS':
    case 'CCS':
    case 'BSM':
    case 'BMV':
    case 'BMT':
    case 'BSP':
      return 'charging';
    case 'BST':
    case 'CST':
    case 'BSD':
    case 'CSD':
      return 'ended';
    case 'BEM':
    case 'CEM':
      return message.timedOut.length > 0 ? 'broken' : undefined;
  }
}
