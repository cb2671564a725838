// Packets of one direction as marks in time and sequence numbers, as people draw them to see what was lost.
import type { Endpoint } from './connection';
import type { Packet } from './packet';

export interface SegmentMark {
  readonly atMs: number;
  /** Bytes since the lowest sequence number that is shown. */
  readonly from: number;
  readonly to: number;
  readonly again: boolean;
}

export interface AckMark {
  readonly atMs: number;
  readonly at: number;
}

export interface TimeSequence {
  readonly segments: readonly SegmentMark[];
  readonly acks: readonly AckMark[];
  readonly fromMs: number;
  readonly toMs: number;
  readonly highest: number;
}

/** What this end sent, and what the other end acknowledged of it. */
export function timeSequenceOf(packets: readonly Packet[], sender: Endpoint): TimeSequence | undefined {
  const isSender = ({ source }: Packet): boolean =>
    source.port === sender.port && source.address === sender.address;
  const first = packets.find((packet) => isSender(packet) && packet.payloadBytes > 0);
  if (first === undefined) {
    return undefined;
  }
  const offset = (seq: number): number => (seq - first.seq) | 0;
  const sent = packets.filter((packet) => isSender(packet) && packet.payloadBytes > 0);
  // What was sent again may lie below the first that is at hand.
  const lowest = Math.min(...sent.map(({ seq }) => offset(seq)));
  const segments = sent.map(({ timestampMs, seq, payloadBytes, retransmission }) => ({
    atMs: timestampMs,
    from: offset(seq) - lowest,
    to: offset(seq) - lowest + payloadBytes,
    again: retransmission,
  }));
  const acks = packets.flatMap((packet) =>
    isSender(packet) || packet.ack === undefined || offset(packet.ack) < lowest
      ? []
      : { atMs: packet.timestampMs, at: offset(packet.ack) - lowest },
  );
  const times = [...segments, ...acks].map(({ atMs }) => atMs);
  return {
    segments,
    acks,
    fromMs: Math.min(...times),
    toMs: Math.max(...times),
    highest: Math.max(...segments.map(({ to }) => to), ...acks.map(({ at }) => at)),
  };
}
