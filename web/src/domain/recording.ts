// A recording of packets into a capture file: what is recorded, and how it comes in.

export interface RecordingWish {
  /** In the daemon's filter language; empty for all. */
  readonly filter: string;
  readonly connectionId: bigint | undefined;
}

export interface RecordingPart {
  /** The next bytes of the file. */
  readonly data: Uint8Array<ArrayBuffer>;
  /** In the file so far. */
  readonly packets: number;
  readonly lostInKernel: number;
  readonly lostInStream: number;
  /** To stay within the budget of CPU time. */
  readonly leftOut: number;
}

/** Hands parts over until the signal stops it or a limit is reached; fails with the daemon's words. */
export interface Recorder {
  record(wish: RecordingWish, onPart: (part: RecordingPart) => void, signal: AbortSignal): Promise<void>;
}

/** A page holds a recording in its memory, so it ends here. */
export const MOST_BYTES = 64_000_000;
export const MOST_MINUTES = 10;

/** "tcpviewer-host-2026-11-23-140309.pcapng". */
export function recordingName(hostName: string, atMs: number): string {
  const time = new Date(atMs).toISOString().slice(0, 19).replace('T', '-').replaceAll(':', '');
  return `tcpviewer-${hostName.replace(/[^\w.-]+/g, '-')}-${time}.pcapng`;
}
