// The daemon's status: what it listens to, what it could not count, what it costs.
import { formatCount, formatPlural } from './format';

export interface InterfaceStatus {
  readonly name: string;
  readonly hook: 'none' | 'tcx' | 'clsact';
  /** How packets that come in are seen where that is by XDP. */
  readonly ingressHook: 'none' | 'XDP' | 'generic XDP';
  /** Why nothing is attached; empty when it is. */
  readonly error: string;
}

/** How the daemon sees the packets of an interface. */
export function hookWords({ hook, ingressHook, error }: InterfaceStatus): string {
  if (hook === 'none') {
    return `not at all: ${error}`;
  }
  return ingressHook === 'none' ? hook : `${hook}, what comes in ${ingressHook}`;
}

export interface Ledger {
  readonly packetsSeen: number;
  readonly packetsTracked: number;
  readonly packetsNotIp: number;
  readonly packetsNotTcp: number;
  readonly packetsFragment: number;
  readonly packetsTruncated: number;
  readonly packetsMalformed: number;
  readonly packetsSeenElsewhere: number;
  readonly packetsTableFull: number;
  /** Of new connections, while memory was at its budget. */
  readonly packetsOverBudget: number;
  readonly connectionEventsLost: number;
  readonly packetEventsLost: number;
  readonly packetEvents: number;
  /** Watched packets that were left out to stay within the budget of CPU time. */
  readonly packetEventsLeftOut: number;
  readonly connectionEvents: number;
  /** Half-open connections that gave their place to a newer one. */
  readonly connectionsGivenUp: number;
  /** Connections listed only once confirmed, as they began during a flood. */
  readonly connectionsWithheld: number;
  /** Errors of sockets and resets of this host of which the kernel told. */
  readonly failureEvents: number;
  /** Those of which it did not: there was no room, or there were too many at once. */
  readonly failureEventsMissed: number;
}

export interface Degradation {
  readonly feature: string;
  readonly reason: string;
  readonly effect: string;
}

export interface Status {
  readonly version: string;
  readonly instance: bigint;
  readonly hostName: string;
  readonly kernelRelease: string;
  /** The capture file that is played; empty where the source is the kernel. */
  readonly captureFile: string;
  /** The time in that capture. */
  readonly captureTimeMs: number | undefined;
  readonly startedAtMs: number;
  readonly nowMs: number;
  readonly updateIntervalMs: number;
  readonly keepClosedMs: number;
  readonly interfaces: readonly InterfaceStatus[];
  readonly ledger: Ledger;
  readonly connections: {
    readonly tracked: number;
    readonly capacity: number;
    readonly listed: number;
    readonly open: number;
    readonly openedTotal: number;
    readonly closedTotal: number;
    readonly resetTotal: number;
    readonly failedTotal: number;
  };
  /** Since the start, ended connections included. */
  readonly totals: {
    readonly packets: number;
    readonly payloadBytes: number;
    readonly retransmissions: number;
  };
  readonly rates: {
    readonly packetsPerSecond: number;
    readonly payloadBytesPerSecond: number;
    readonly openedPerSecond: number;
  };
  readonly resources: {
    readonly residentBytes: number;
    readonly kernelMapBytes: number | undefined;
    readonly cpuTimeMs: number;
    readonly cpuPercent: number | undefined;
  };
  readonly degradations: readonly Degradation[];
  readonly streams: number;
}

export interface LedgerLine {
  readonly label: string;
  readonly count: number;
  /** Whether this is a loss, rather than traffic that is not TCP's or is counted elsewhere. */
  readonly loss: boolean;
}

/** Every packet the hooks saw, by what became of it; the lines add up to all packets seen. */
export function ledgerLines(ledger: Ledger): LedgerLine[] {
  return [
    { label: 'counted for a connection', count: ledger.packetsTracked, loss: false },
    { label: 'not IPv4 or IPv6', count: ledger.packetsNotIp, loss: false },
    { label: 'not TCP', count: ledger.packetsNotTcp, loss: false },
    { label: 'counted at another interface', count: ledger.packetsSeenElsewhere, loss: false },
    { label: 'later fragment, no TCP header', count: ledger.packetsFragment, loss: true },
    { label: 'cut off before the TCP header ends', count: ledger.packetsTruncated, loss: true },
    { label: 'headers contradict themselves', count: ledger.packetsMalformed, loss: true },
    { label: 'connection table was full', count: ledger.packetsTableFull, loss: true },
    { label: 'new connection over the memory budget', count: ledger.packetsOverBudget, loss: true },
  ];
}

/** TCP packets that belong to a connection but are counted for none. */
export function packetsNotCounted(ledger: Ledger): number {
  return ledgerLines(ledger).reduce((sum, line) => (line.loss ? sum + line.count : sum), 0);
}

export function eventsLost(ledger: Ledger): number {
  return ledger.connectionEventsLost + ledger.packetEventsLost;
}

/** One phrase for the header: "complete", or the worst of what is missing. */
export function ledgerSummary(ledger: Ledger): string {
  const lost = eventsLost(ledger);
  const notCounted = packetsNotCounted(ledger);
  if (notCounted > 0) {
    return `${formatCount(notCounted)} not counted`;
  }
  return lost > 0 ? `lost ${formatPlural(lost, 'event')}` : 'complete';
}
