// Sums over the open connections at one moment, as the daemon makes them once per second, and the
// rates of the host between two of its statuses.
import type { Status } from './status';

export interface RttBucket {
  /** RTTs in it are smaller than this, and not smaller than the bound of the bucket before. */
  readonly belowUs: number;
  readonly connections: number;
}

export interface RttDistribution {
  readonly connections: number;
  readonly p50Us: number;
  readonly p90Us: number;
  readonly p99Us: number;
  readonly maxUs: number;
  readonly buckets: readonly RttBucket[];
}

export const GROUP_KINDS = ['process', 'container', 'unit', 'peer', 'port', 'interface', 'state'] as const;

export type GroupKind = (typeof GROUP_KINDS)[number];

export const GROUP_WORDS: Record<GroupKind, { readonly one: string; readonly many: string }> = {
  process: { one: 'Process', many: 'Processes' },
  container: { one: 'Container', many: 'Containers' },
  unit: { one: 'Unit', many: 'Units' },
  peer: { one: 'Peer', many: 'Peers' },
  port: { one: 'Port', many: 'Ports' },
  interface: { one: 'Interface', many: 'Interfaces' },
  state: { one: 'State', many: 'States' },
};

export function isGroupKind(name: string | null): name is GroupKind {
  return GROUP_KINDS.some((kind) => kind === name);
}

/** Open connections with something in common. */
export interface Group {
  readonly name: string;
  readonly connections: number;
  readonly sentBytesPerSecond: number;
  readonly receivedBytesPerSecond: number;
  readonly packetsPerSecond: number;
  readonly payloadBytes: number;
  readonly retransmissions: number;
  readonly rttUs: number | undefined;
}

export interface GroupList {
  readonly by: GroupKind;
  /** The busiest first. */
  readonly groups: readonly Group[];
  readonly more: number;
}

/** A counter that the kernel keeps of all TCP of the host. */
export interface HostCounter {
  /** The kernel's name of it. */
  readonly name: string;
  readonly meaning: string;
  /** Since the host or its network namespace began. */
  readonly total: number;
  /** Undefined until it was read twice. */
  readonly perSecond: number | undefined;
}

/** Those that grow as long as all is well. */
const TRAFFIC_COUNTERS = ['ActiveOpens', 'PassiveOpens', 'InSegs', 'OutSegs'];

/** Whether this tells that something goes wrong now. */
export function isTrouble({ name, perSecond }: HostCounter): boolean {
  return (perSecond ?? 0) > 0 && !TRAFFIC_COUNTERS.includes(name);
}

export interface Stats {
  /** By the daemon's clock. */
  readonly atMs: number;
  /** Open ones. */
  readonly connections: number;
  readonly payloadBytesPerSecond: number;
  readonly packetsPerSecond: number;
  readonly rtt: RttDistribution | undefined;
  readonly groups: readonly GroupList[];
  /** None where a capture file is played. */
  readonly hostCounters: readonly HostCounter[];
}

/** What charts need of sums that are not the newest. */
export function inShort(sums: Stats): Stats {
  return { ...sums, groups: [] };
}

/** What happened per second between two statuses of one run of the daemon. */
export interface HostRates {
  readonly atMs: number;
  readonly openedPerSecond: number;
  readonly closedPerSecond: number;
  /** Refused, or not answered. */
  readonly failedPerSecond: number;
  /** Ended by a RST after they were open. */
  readonly resetPerSecond: number;
  readonly retransmissionsPerSecond: number;
  /** Share of the packets that were sent again; undefined without packets. */
  readonly retransmissionShare: number | undefined;
}

/** Too close to each other, two statuses make a rate of chance. */
const LEAST_MS = 200;

/** Undefined where the two are not of one run, or not one after the other. */
export function ratesBetween(before: Status, now: Status): HostRates | undefined {
  const elapsedMs = now.nowMs - before.nowMs;
  if (before.instance !== now.instance || elapsedMs < LEAST_MS) {
    return undefined;
  }
  const perSecond = (from: number, to: number): number => (Math.max(0, to - from) / elapsedMs) * 1000;
  const packets = now.totals.packets - before.totals.packets;
  const retransmissions = now.totals.retransmissions - before.totals.retransmissions;
  return {
    atMs: now.nowMs,
    openedPerSecond: perSecond(before.connections.openedTotal, now.connections.openedTotal),
    closedPerSecond: perSecond(before.connections.closedTotal, now.connections.closedTotal),
    failedPerSecond: perSecond(before.connections.failedTotal, now.connections.failedTotal),
    resetPerSecond: perSecond(before.connections.resetTotal, now.connections.resetTotal),
    retransmissionsPerSecond: perSecond(before.totals.retransmissions, now.totals.retransmissions),
    retransmissionShare: packets > 0 ? retransmissions / packets : undefined,
  };
}

/** A filter of the open connections of a group; undefined where no filter names them. */
export function filterOfGroup(kind: GroupKind, name: string): string | undefined {
  // A name in parentheses stands for those that have none.
  if (name.startsWith('(')) {
    return ['process', 'container', 'unit'].includes(kind) ? `open and not has ${kind}` : undefined;
  }
  switch (kind) {
    case 'peer':
      return `open and host ${name}`;
    case 'port':
      return `open and destination.port == ${name}`;
    case 'state':
      return `open and state == ${name.toLowerCase().replaceAll('_', '-')}`;
    case 'interface':
    case 'process':
    case 'container':
    case 'unit':
      return `open and ${kind} == ${JSON.stringify(name)}`;
  }
}
