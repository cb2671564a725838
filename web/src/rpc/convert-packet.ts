// From generated packet messages to the plain types of domain/.
import type { Packet, PacketBatch, PacketDirection, TcpFlag } from '../domain/packet';
import { Direction, TcpFlag as WireFlag, type Packet as WirePacket } from '../gen/tcpviewer/v1/packet_pb';
import type { WatchPacketsResponse } from '../gen/tcpviewer/v1/service_pb';
import { toEndpoint } from './convert';
import { known, toMilliseconds } from './convert-values';

const FLAGS: Record<WireFlag, TcpFlag | undefined> = {
  [WireFlag.UNSPECIFIED]: undefined,
  [WireFlag.FIN]: 'FIN',
  [WireFlag.SYN]: 'SYN',
  [WireFlag.RST]: 'RST',
  [WireFlag.PSH]: 'PSH',
  [WireFlag.ACK]: 'ACK',
  [WireFlag.URG]: 'URG',
  [WireFlag.ECE]: 'ECE',
  [WireFlag.CWR]: 'CWR',
};

const DIRECTIONS: Record<Direction, PacketDirection> = {
  [Direction.UNSPECIFIED]: 'unknown',
  [Direction.INGRESS]: 'ingress',
  [Direction.EGRESS]: 'egress',
};

export function toPacketBatch(message: WatchPacketsResponse): PacketBatch {
  return {
    packets: message.packets.map(toPacket),
    lostInKernel: Number(message.lostInKernel),
    lostInStream: Number(message.lostInStream),
    leftOut: Number(message.leftOut),
    // An older daemon does not say.
    sampling: Math.max(message.sampling, 1),
  };
}

export function toFlags(flags: readonly WireFlag[]): TcpFlag[] {
  return flags.flatMap((flag) => known(FLAGS, flag, undefined) ?? []);
}

function toPacket(message: WirePacket): Packet {
  return {
    timestampMs: toMilliseconds(message.timestamp) ?? 0,
    connectionId: message.connectionId,
    source: toEndpoint(message.source),
    destination: toEndpoint(message.destination),
    interface: message.interface,
    direction: known(DIRECTIONS, message.direction, 'unknown'),
    flags: toFlags(message.flags),
    seq: message.seq,
    ack: message.ack,
    window: message.window,
    payloadBytes: message.payloadBytes,
    wirePackets: message.wirePackets,
    retransmission: message.retransmission,
  };
}
