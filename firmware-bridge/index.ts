/** The public entry of the firmware bridge. */
export type * from './port.ts';
export { checkFirmwareEvent } from './check-event.ts';
export type { CheckedFirmwareEvent } from './check-event.ts';
export { systemClock } from './clock.ts';
export type { FirmwareClock } from './clock.ts';
export { credentialFault } from './credential-form.ts';
export { parseConnectorId, parseStationId } from './connector-id.ts';
export { createEverestFirmware } from './everest/everest-firmware.ts';
export type { EverestFirmwareOptions, EverestIssue } from './everest/everest-firmware.ts';
export type { EverestLink, EverestLinkHandlers } from './everest/everest-link.ts';
export { EVSES_MAX as EVEREST_EVSES_MAX } from './everest/limits.ts';
export { SILENT_AFTER_MS_DEFAULT as EVEREST_SILENT_AFTER_MS } from './everest/read-recording.ts';
export { MODULE_PATTERN as EVEREST_MODULE_PATTERN } from './everest/topics.ts';
export { parseBrokerUrl } from './everest/broker-url.ts';
export { FirmwareError } from './firmware-error.ts';
export type { FirmwareErrorCode, FirmwareIssue, ReportIssue } from './firmware-error.ts';
export type { FirmwareFact } from './firmware-fact.ts';
export { issueInWords } from './issue-words.ts';
export { createGbt27930Firmware, UNPLUGGED_AFTER_MS_MIN } from './gbt27930/gbt27930-firmware.ts';
export type { Gbt27930FirmwareOptions } from './gbt27930/gbt27930-firmware.ts';
export { parseLineSource } from './gbt27930/line-source.ts';
export type { LineSource } from './gbt27930/line-source.ts';
export { ManualFirmware, createManualFirmware } from './manual/manual-firmware.ts';
export type { ManualFirmwareOptions } from './manual/manual-firmware.ts';
export type { ManualDetails } from './manual/plugged-vehicle.ts';
export {
  ANSWER_WITHIN_MS_DEFAULT as MODBUS_ANSWER_WITHIN_MS,
  CONNECTORS_MAX as MODBUS_CONNECTORS_MAX,
  LOST_AFTER_DEFAULT as MODBUS_LOST_AFTER,
  MODBUS_PORT,
  POLL_MS_DEFAULT as MODBUS_POLL_MS,
  createModbusFirmware,
} from './modbus/modbus-firmware.ts';
export type { ModbusConnectorOptions, ModbusFirmwareOptions } from './modbus/modbus-firmware.ts';
export { listenAt } from './own-socket.ts';
export { CONNECTOR_POWER_MW_MAX, Plausibility } from './plausibility.ts';
export type { Plausible, PlausibilityOptions } from './plausibility.ts';
export { createOcppFirmware } from './ocpp/ocpp-firmware.ts';
export type { OcppFirmwareOptions } from './ocpp/ocpp-firmware.ts';
export { HEARTBEAT_MS_DEFAULT as OCPP_HEARTBEAT_MS } from './ocpp/pile-story.ts';
export { TAP_FILE as OCPP_TAP_FILE } from './ocpp/tap-file.ts';
export { createPseudonymizer } from './pseudonym.ts';
export { RecordingError } from './recording.ts';
export type { ReadRecording, RecordingFormat, RecordingOptions } from './recording.ts';
export { createEverestRecorder } from './record/record-everest.ts';
export { createGbt27930Recorder } from './record/record-gbt27930.ts';
export { createOcppRecorder } from './record/record-ocpp.ts';
export type { Recorder, RecordSink } from './record/recorder.ts';
export { RECORDINGS } from './recordings.ts';
export { planSessions } from './replay/plan-sessions.ts';
export type { PlanOptions, TimedFirmwareEvent } from './replay/plan-sessions.ts';
export { readSessions } from './replay/read-sessions.ts';
export type { ReadSessionsOptions, RepairRow, Sessions } from './replay/read-sessions.ts';
export { ReplayFirmware, SAMPLE_SESSIONS_FILE, createReplayFirmware } from './replay/replay-firmware.ts';
export type { ReplayFirmwareOptions } from './replay/replay-firmware.ts';
export { SESSION_COLUMNS } from './replay/session-row.ts';
export type { RowFault, SessionCells, SessionRow } from './replay/session-row.ts';
export { formatLocalTime, parseLocalTime } from './replay/local-time.ts';
