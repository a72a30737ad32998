/** The name of the tap's socket, in the directory where the agent keeps its own, unless either is told otherwise. */
export const TAP_FILE = 'ocpp-tap.sock';
