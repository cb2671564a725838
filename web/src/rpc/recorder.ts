// Records packets into a capture file: one CapturePcap call straight from the page, as its bytes are of use to
// no other page.
import { MOST_BYTES, MOST_MINUTES, type Recorder } from '../domain/recording';
import { isAborted, toFailure } from './retry';
import type { TcpViewerClient } from './transport';

export function clientRecorder(client: TcpViewerClient): Recorder {
  return {
    record: async ({ filter, connectionId }, onPart, signal) => {
      const request = {
        filter,
        maxBytes: BigInt(MOST_BYTES),
        maxDuration: { seconds: BigInt(MOST_MINUTES * 60) },
        ...(connectionId === undefined ? {} : { connectionId }),
      };
      try {
        for await (const part of client.capturePcap(request, { signal })) {
          onPart({
            data: new Uint8Array(part.data),
            packets: Number(part.packets),
            lostInKernel: Number(part.lostInKernel),
            lostInStream: Number(part.lostInStream),
            leftOut: Number(part.leftOut),
          });
        }
      } catch (error) {
        if (!isAborted(signal)) {
          throw new Error(toFailure(error).message, { cause: error });
        }
      }
    },
  };
}
