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

/** Some packets, oldest first, and what was lost since the stream began. */
export interface PacketBatch {
  readonly packets: readonly Packet[];
  readonly lostInKernel: number;
  readonly lostInStream: number;
}

/** Which packets somebody wants to see, or none. */
export type PacketWish =
  | { readonly kind: 'none' }
  | { readonly kind: 'all'; readonly last: number }
  | { readonly kind: 'connection'; readonly id: bigint; readonly last: number };

export const NO_PACKETS: PacketWish = { kind: 'none' };

// The order in which tcpdump prints them; ACK is the dot.
const FLAG_LETTERS: readonly (readonly [TcpFlag, string])[] = [
  ['FIN', 'F'],
  ['SYN', 'S'],
  ['RST', 'R'],
  ['PSH', 'P'],
  ['ACK', '.'],
  ['URG', 'U'],
  ['ECE', 'E'],
  ['CWR', 'W'],
];

/** "[S.]" for SYN and ACK, "[none]" for a packet without flags. */
export function formatFlags(flags: readonly TcpFlag[]): string {
  const letters = FLAG_LETTERS.filter(([flag]) => flags.includes(flag)).map(([, letter]) => letter);
  return `[${letters.join('') || 'none'}]`;
}

export function sameWish(left: PacketWish, right: PacketWish): boolean {
  if (left.kind === 'connection' && right.kind === 'connection') {
    return left.id === right.id && left.last === right.last;
  }
  return left.kind === right.kind;
}
