/** Makes the packet writer of mqtt.js a small one. */
import { createRequire } from 'node:module';

interface PacketWriter {
  readonly writeToStream: { cacheNumbers: boolean };
}

/**
 * At its first packet it would make a buffer for each number up to 65,535, so that it need not make those of message ids as
 * it goes: 30 MiB for some bytes an hour. The package is resolved as mqtt.js does, so that it is the very copy that it uses.
 */
export function withoutNumberCache(): void {
  const { writeToStream } = createRequire(import.meta.resolve('mqtt/lib/client'))(
    'mqtt-packet',
  ) as PacketWriter;
  writeToStream.cacheNumbers = false;
}
