// One packet as the dashboard shows it, headers only, and its flags as tcpdump writes them.
import type { Endpoint } from './connection';

export type TcpFlag = 'FIN' | 'SYN' | 'RST' | 'PSH' | 'ACK' | 'URG' | 'ECE' | 'CWR';
export type PacketDirection = 'unknown' | 'ingress' | 'egress';

export interface Packet {
  readonly timestampMs: number;
  readonly connectionId: bigint;
  /** The packet's own sender, not the connection's source. */
  readonly source: Endpoint;
  readonly destination: Endpoint;
  readonly interface: string;
  readonly direction: PacketDirection;
  readonly flags: readonly TcpFlag[];
  readonly seq: number;
  readonly ack: number | undefined;
  /** As in the header, not scaled. */
  readonly window: number;
  readonly payloadBytes: number;
  /** Packets on the wire that this one stands for. */
  readonly wirePackets: number;
  readonly retransmission: boolean;
}

/** Some packets, oldest first, and what was lost or left out since the stream began. */
export interface PacketBatch {
  readonly packets: readonly Packet[];
  readonly lostInKernel: number;
  readonly lostInStream: number;
  /** To stay within the budget of CPU time. */
  readonly leftOut: number;
  /** Of so many packets one comes: 1 where nothing is left out. */
  readonly sampling: number;
}

/** The order in which tcpdump prints them. */
export const FLAG_ORDER: readonly TcpFlag[] = ['SYN', 'FIN', 'RST', 'PSH', 'ACK', 'URG', 'ECE', 'CWR'];
