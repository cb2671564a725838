// Makes domain values and messages for tests; every test names only what it is about.
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import type { Connection, Half } from '../domain/connection';
import type { Listener } from '../domain/listener';
import type { Packet } from '../domain/packet';
import type { Stats } from '../domain/stats';
import type { Status } from '../domain/status';
import type { Verdict, VerdictCause, VerdictKind } from '../domain/verdict';
import { ConnectionSchema, CloseReason, TcpState } from '../gen/tcpviewer/v1/connection_pb';
import {
  WatchBundleResponseSchema,
  WatchConnectionsResponseSchema,
  type WatchBundleResponse,
  type WatchConnectionsResponse,
} from '../gen/tcpviewer/v1/service_pb';

export const START_MS = Date.UTC(2026, 10, 23, 12);

export function half(values: Partial<Half> = {}): Half {
  return {
    packets: 0,
    wireBytes: 0,
    payloadBytes: 0,
    retransmittedBytes: 0,
    retransmissions: 0,
    fastRetransmissions: 0,
    spuriousRetransmissions: 0,
    synRetransmissions: 0,
    outOfOrder: 0,
    duplicateAcks: 0,
    zeroWindows: 0,
    windowFull: 0,
    keepAlives: 0,
    lostSegments: 0,
    resets: 0,
    ecnMarked: 0,
    ecnEchoed: 0,
    payloadBytesPerSecond: 0,
    packetsPerSecond: 0,
    lastSeq: undefined,
    lastAck: undefined,
    windowBytes: undefined,
    mssBytes: undefined,
    windowScale: undefined,
    sackPermitted: undefined,
    timestamps: undefined,
    fastOpen: undefined,
    inFlightBytes: undefined,
    usableWindowBytes: undefined,
    rtt: undefined,
    response: undefined,
    socket: undefined,
    ...values,
  };
}

export function connection(id: number, values: Partial<Connection> = {}): Connection {
  return {
    id: BigInt(id),
    source: { address: '10.0.0.1', port: 40_000 + id },
    destination: { address: '10.0.0.2', port: 443 },
    orientation: 'handshake',
    localEnd: 'source',
    state: 'ESTABLISHED',
    sourceState: 'ESTABLISHED',
    destinationState: 'ESTABLISHED',
    interface: 'eth0',
    sent: half(),
    received: half(),
    handshake: undefined,
    rtt: undefined,
    firstSeenMs: START_MS,
    lastSeenMs: START_MS,
    closedAtMs: undefined,
    closeReason: 'none',
    ecn: undefined,
    sourceProcess: undefined,
    destinationProcess: undefined,
    verdict: undefined,
    sourceError: undefined,
    destinationError: undefined,
    reset: undefined,
    ...values,
  };
}

export function verdict(kind: VerdictKind, cause: VerdictCause = 'none'): Verdict {
  return { kind, cause, sinceMs: START_MS, text: '', evidence: [] };
}

export function packet(connectionId: number, values: Partial<Packet> = {}): Packet {
  return {
    timestampMs: START_MS,
    connectionId: BigInt(connectionId),
    source: { address: '10.0.0.1', port: 40_000 },
    destination: { address: '10.0.0.2', port: 443 },
    interface: 'eth0',
    direction: 'egress',
    flags: ['ACK'],
    seq: 1,
    ack: 1,
    window: 512,
    payloadBytes: 0,
    wirePackets: 1,
    retransmission: false,
    ...values,
  };
}

export function status(values: Partial<Status> = {}): Status {
  return {
    version: '0.1.0',
    instance: 7n,
    hostName: 'test-host',
    kernelRelease: '6.18.0',
    captureFile: '',
    captureTimeMs: undefined,
    startedAtMs: START_MS,
    nowMs: START_MS,
    updateIntervalMs: 250,
    keepClosedMs: 30_000,
    interfaces: [{ name: 'lo', hook: 'tcx', ingressHook: 'none', error: '' }],
    ledger: {
      packetsSeen: 0,
      packetsTracked: 0,
      packetsNotIp: 0,
      packetsNotTcp: 0,
      packetsFragment: 0,
      packetsTruncated: 0,
      packetsMalformed: 0,
      packetsSeenElsewhere: 0,
      packetsTableFull: 0,
      packetsOverBudget: 0,
      connectionEventsLost: 0,
      packetEventsLost: 0,
      packetEvents: 0,
      packetEventsLeftOut: 0,
      connectionEvents: 0,
      connectionsGivenUp: 0,
      connectionsWithheld: 0,
      failureEvents: 0,
      failureEventsMissed: 0,
    },
    connections: {
      tracked: 0,
      capacity: 0,
      listed: 0,
      open: 0,
      openedTotal: 0,
      closedTotal: 0,
      resetTotal: 0,
      failedTotal: 0,
    },
    totals: { packets: 0, payloadBytes: 0, retransmissions: 0 },
    rates: { packetsPerSecond: 0, payloadBytesPerSecond: 0, openedPerSecond: 0 },
    resources: { residentBytes: 0, kernelMapBytes: undefined, cpuTimeMs: 0, cpuPercent: undefined },
    degradations: [],
    streams: 1,
    ...values,
  };
}

export function stats(values: Partial<Stats> = {}): Stats {
  return {
    atMs: START_MS,
    connections: 0,
    payloadBytesPerSecond: 0,
    packetsPerSecond: 0,
    rtt: undefined,
    groups: [],
    hostCounters: [],
    ...values,
  };
}

export function listener(port: number, values: Partial<Listener> = {}): Listener {
  return {
    socketCookie: String(port),
    networkNamespace: undefined,
    address: { address: '0.0.0.0', port },
    dualStack: undefined,
    acceptQueue: 0,
    acceptQueueLimit: 128,
    synQueue: 0,
    drops: 0,
    userId: 0,
    process: undefined,
    ...values,
  };
}

export function wireConnection(id: number): MessageInitShape<typeof ConnectionSchema> {
  return {
    id: BigInt(id),
    source: { address: '10.0.0.1', port: 40_000 + id },
    destination: { address: '10.0.0.2', port: 443 },
    state: TcpState.ESTABLISHED,
    closeReason: CloseReason.UNSPECIFIED,
    firstSeen: timestampFromMs(START_MS),
  };
}

type EventInit = NonNullable<MessageInitShape<typeof WatchConnectionsResponseSchema>['event']>;

export function watchMessage(event: EventInit): WatchConnectionsResponse {
  return create(WatchConnectionsResponseSchema, { event });
}

type BundledInit = NonNullable<MessageInitShape<typeof WatchBundleResponseSchema>['message']>;

export function bundleMessage(message: BundledInit): WatchBundleResponse['message'] {
  return create(WatchBundleResponseSchema, { message }).message;
}
