// From the generated history of a connection to the plain types of domain/.
import type { HalfPoint, Notability, NotablePacket, Point } from '../domain/history';
import * as wire from '../gen/tcpviewer/v1/history_pb';
import { known, toMilliseconds } from './convert-values';
import { toFlags } from './convert-packet';

const NOTABILITIES: Record<wire.Notability, Notability | undefined> = {
  [wire.Notability.UNSPECIFIED]: undefined,
  [wire.Notability.HANDSHAKE]: 'handshake',
  [wire.Notability.RETRANSMISSION]: 'retransmission',
  [wire.Notability.ZERO_WINDOW]: 'zero-window',
};

export function toPoint(message: wire.Point): Point {
  return {
    atMs: toMilliseconds(message.at) ?? 0,
    sent: toHalfPoint(message.sent),
    received: toHalfPoint(message.received),
  };
}

export function toNotablePacket(message: wire.NotablePacket): NotablePacket {
  return {
    timestampMs: toMilliseconds(message.timestamp) ?? 0,
    fromSource: message.fromSource,
    notableFor: message.notableFor.flatMap((reason) => known(NOTABILITIES, reason, undefined) ?? []),
    flags: toFlags(message.flags),
    seq: message.seq,
    ack: message.ack,
    window: message.window,
    payloadBytes: message.payloadBytes,
  };
}

function toHalfPoint(message: wire.HalfPoint | undefined): HalfPoint {
  const rate = message?.deliveryRateBytesPerSecond;
  return {
    payloadBytesPerSecond: Number(message?.payloadBytesPerSecond ?? 0),
    packetsPerSecond: Number(message?.packetsPerSecond ?? 0),
    srttUs: message?.srttUs,
    socketSrttUs: message?.socketSrttUs,
    congestionWindow: message?.congestionWindow,
    slowStartThreshold: message?.slowStartThreshold,
    deliveryRateBytesPerSecond: rate === undefined ? undefined : Number(rate),
    inFlightBytes: message?.inFlightBytes,
    retransmissions: Number(message?.retransmissions ?? 0),
  };
}
