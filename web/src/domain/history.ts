// The past of one connection: how its numbers went, and the packets worth remembering.
import type { Half } from './connection';
import type { TcpFlag } from './packet';

/** One direction between one moment and another. */
export interface HalfPoint {
  readonly payloadBytesPerSecond: number;
  readonly packetsPerSecond: number;
  /** On the wire. */
  readonly srttUs: number | undefined;
  /** What the kernel has of the socket that sends. */
  readonly socketSrttUs: number | undefined;
  readonly congestionWindow: number | undefined;
  readonly slowStartThreshold: number | undefined;
  readonly deliveryRateBytesPerSecond: number | undefined;
  readonly inFlightBytes: number | undefined;
  /** Since the connection was first seen. */
  readonly retransmissions: number;
}

export interface Point {
  readonly atMs: number;
  readonly sent: HalfPoint;
  readonly received: HalfPoint;
}

export type Notability = 'handshake' | 'retransmission' | 'zero-window';

export interface NotablePacket {
  readonly timestampMs: number;
  readonly fromSource: boolean;
  readonly notableFor: readonly Notability[];
  readonly flags: readonly TcpFlag[];
  readonly seq: number;
  readonly ack: number | undefined;
  readonly window: number;
  readonly payloadBytes: number;
}

export const NOTABILITY_WORDS: Record<Notability, string> = {
  handshake: 'handshake',
  retransmission: 'sent again',
  'zero-window': 'no window',
};

/** Packets sent again per second between each point and the one before it. */
export function retransmissionRates(
  points: readonly Point[],
  half: (point: Point) => HalfPoint,
): readonly (number | undefined)[] {
  return points.map((point, index) => {
    const before = points[index - 1];
    const elapsedMs = before === undefined ? 0 : point.atMs - before.atMs;
    return before === undefined || elapsedMs <= 0
      ? undefined
      : (Math.max(0, half(point).retransmissions - half(before).retransmissions) / elapsedMs) * 1000;
  });
}

/** A window of the kernel, counted in segments, in bytes. */
export function windowBytes(segments: number | undefined, { socket, mssBytes }: Half): number | undefined {
  const segmentBytes = socket?.mssBytes ?? mssBytes;
  return segments === undefined || segmentBytes === undefined ? undefined : segments * segmentBytes;
}

/** How the connection began and how it ended: what is drawn as a ladder between its two ends. */
export function ladderOf(packets: readonly NotablePacket[]): readonly NotablePacket[] {
  return packets.filter(
    ({ notableFor, flags }) =>
      notableFor.includes('handshake') ||
      flags.includes('SYN') ||
      flags.includes('FIN') ||
      flags.includes('RST'),
  );
}
