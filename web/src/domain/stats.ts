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

export type GroupKind = 'peer' | 'port' | 'interface' | 'state' | 'process' | 'container' | 'unit';

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

export interface Stats {
  /** By the daemon's clock. */
  readonly atMs: number;
  /** Open ones. */
  readonly connections: number;
  readonly payloadBytesPerSecond: number;
  readonly packetsPerSecond: number;
  readonly rtt: RttDistribution | undefined;
  readonly groups: readonly GroupList[];
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
