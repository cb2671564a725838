// Packets of one direction as marks in time and sequence numbers, as people draw them to see what was lost.
import type { Endpoint } from './connection';
import type { NotablePacket } from './history';
import type { Packet } from './packet';

export interface SegmentMark {
  readonly atMs: number;
  /** Bytes since the lowest sequence number that is shown. */
  readonly from: number;
  readonly to: number;
  readonly again: boolean;
  /** On the wire: more than one where the host hands several over at once. */
  readonly wirePackets: number;
}

export interface AckMark {
  readonly atMs: number;
  readonly at: number;
}

export interface TimeSequence {
  readonly segments: readonly SegmentMark[];
  /** Sent again so long before the others that those would have no room beside them. */
  readonly earlier: readonly SegmentMark[];
  readonly acks: readonly AckMark[];
  readonly fromMs: number;
  readonly toMs: number;
  readonly highest: number;
}

/** A segment that passed, wherever that is known from. */
interface Passed {
  readonly atMs: number;
  readonly seq: number;
  readonly payloadBytes: number;
  readonly again: boolean;
  readonly wirePackets: number;
}

/** The same packet is told of with the same time by the kernel's memory and by the stream of packets, but for rounding. */
const SAME_MS = 2;

/**
 * What this end sent, and what the other end acknowledged of it. `remembered` are the packets of this end that the
 * kernel keeps of a connection: among them is what was sent again before anybody watched.
 */
export function timeSequenceOf(
  packets: readonly Packet[],
  sender: Endpoint,
  remembered: readonly NotablePacket[] = [],
): TimeSequence | undefined {
  const isSender = ({ source }: Packet): boolean =>
    source.port === sender.port && source.address === sender.address;
  const sent = withRemembered(
    packets
      .filter((packet) => isSender(packet) && (packet.payloadBytes > 0 || packet.retransmission))
      .map(({ timestampMs, seq, payloadBytes, retransmission, wirePackets }) => ({
        wirePackets,
        atMs: timestampMs,
        seq,
        payloadBytes,
        again: retransmission,
      })),
    remembered,
  );
  const first = sent[0];
  if (first === undefined) {
    return undefined;
  }
  const offset = (seq: number): number => (seq - first.seq) | 0;
  const fromMs = beginOf(sent, packets);
  // What was sent again may lie below the first that is at hand.
  const lowest = Math.min(...sent.flatMap(({ atMs, seq }) => (atMs < fromMs ? [] : offset(seq))));
  const marks = sent.map(({ atMs, seq, payloadBytes, again, wirePackets }) => ({
    wirePackets,
    atMs,
    from: offset(seq) - lowest,
    to: offset(seq) - lowest + payloadBytes,
    again,
  }));
  const segments = marks.filter(({ atMs }) => atMs >= fromMs);
  const acks = packets.flatMap((packet) =>
    isSender(packet) || packet.ack === undefined || offset(packet.ack) < lowest
      ? []
      : { atMs: packet.timestampMs, at: offset(packet.ack) - lowest },
  );
  const times = [...segments, ...acks].map(({ atMs }) => atMs);
  return {
    segments,
    earlier: marks.filter(({ atMs }) => atMs < fromMs),
    acks,
    fromMs: Math.min(...times),
    toMs: Math.max(...times),
    highest: Math.max(...segments.map(({ to }) => to), ...acks.map(({ at }) => at)),
  };
}

/** From when on it is shown: all of it, or what was watched where that would be less than half of it. */
function beginOf(sent: readonly Passed[], watched: readonly Packet[]): number {
  const firstMs = sent[0]?.atMs ?? 0;
  const [from, to] = [watched[0]?.timestampMs, watched.at(-1)?.timestampMs];
  const isLongBefore = from !== undefined && to !== undefined && from - firstMs > to - from;
  // There must be something to show from then on.
  return isLongBefore && sent.some(({ atMs }) => atMs >= from) ? from : firstMs;
}

/** Those that were sent again and are only remembered are put among those that were seen to pass. */
function withRemembered(seen: readonly Passed[], remembered: readonly NotablePacket[]): readonly Passed[] {
  const again = seen.filter((packet) => packet.again);
  const only = remembered.filter(
    ({ notableFor, timestampMs, seq }) =>
      notableFor.includes('retransmission') &&
      !again.some((other) => other.seq === seq && Math.abs(other.atMs - timestampMs) < SAME_MS),
  );
  const more = only.map(({ timestampMs, seq, payloadBytes }) => ({
    atMs: timestampMs,
    seq,
    payloadBytes,
    again: true,
    // The kernel's memory does not tell; what is sent again is seldom handed over by several.
    wirePackets: 1,
  }));
  return [...more, ...seen].sort((left, right) => left.atMs - right.atMs);
}
