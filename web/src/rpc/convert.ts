// From generated messages to the plain types of domain/. Counters become numbers: exact up to
// 2^53, which is eight petabytes.
import type {
  CloseReason,
  Connection,
  Endpoint,
  Half,
  Handshake,
  LocalEnd,
  Orientation,
  Process,
  ProcessSource,
  Reset,
  Response,
  Rtt,
  RttSource,
  Socket,
} from '../domain/connection';
import type { TcpState } from '../domain/tcp-state';
import * as wire from '../gen/tcpviewer/v1/connection_pb';
import {
  Confidence,
  ProcessSource as WireProcessSource,
  type Process as WireProcess,
} from '../gen/tcpviewer/v1/process_pb';
import { End } from '../gen/tcpviewer/v1/verdict_pb';
import { known, toMilliseconds } from './convert-values';
import { toVerdict } from './convert-verdict';

const STATES: Record<wire.TcpState, TcpState> = {
  [wire.TcpState.UNSPECIFIED]: 'UNKNOWN',
  [wire.TcpState.CLOSED]: 'CLOSED',
  [wire.TcpState.LISTEN]: 'LISTEN',
  [wire.TcpState.SYN_SENT]: 'SYN_SENT',
  [wire.TcpState.SYN_RECEIVED]: 'SYN_RECEIVED',
  [wire.TcpState.ESTABLISHED]: 'ESTABLISHED',
  [wire.TcpState.FIN_WAIT_1]: 'FIN_WAIT_1',
  [wire.TcpState.FIN_WAIT_2]: 'FIN_WAIT_2',
  [wire.TcpState.CLOSE_WAIT]: 'CLOSE_WAIT',
  [wire.TcpState.CLOSING]: 'CLOSING',
  [wire.TcpState.LAST_ACK]: 'LAST_ACK',
  [wire.TcpState.TIME_WAIT]: 'TIME_WAIT',
};

const ORIENTATIONS: Record<wire.Orientation, Orientation> = {
  [wire.Orientation.UNSPECIFIED]: 'unknown',
  [wire.Orientation.HANDSHAKE]: 'handshake',
  [wire.Orientation.PORTS]: 'ports',
  [wire.Orientation.LISTENER]: 'listener',
};

const LOCAL_ENDS: Record<wire.LocalEnd, LocalEnd> = {
  [wire.LocalEnd.UNSPECIFIED]: 'unknown',
  [wire.LocalEnd.SOURCE]: 'source',
  [wire.LocalEnd.DESTINATION]: 'destination',
  [wire.LocalEnd.BOTH]: 'both',
  [wire.LocalEnd.NEITHER]: 'neither',
};

const CLOSE_REASONS: Record<wire.CloseReason, CloseReason> = {
  [wire.CloseReason.UNSPECIFIED]: 'none',
  [wire.CloseReason.FIN]: 'fin',
  [wire.CloseReason.RESET_BY_SOURCE]: 'reset-by-source',
  [wire.CloseReason.RESET_BY_DESTINATION]: 'reset-by-destination',
  [wire.CloseReason.REFUSED]: 'refused',
  [wire.CloseReason.IDLE_TIMEOUT]: 'idle-timeout',
  [wire.CloseReason.HANDSHAKE_TIMEOUT]: 'handshake-timeout',
  [wire.CloseReason.REPLACED]: 'replaced',
  [wire.CloseReason.GIVEN_UP]: 'given-up',
  [wire.CloseReason.SOCKET_GONE]: 'socket-gone',
  [wire.CloseReason.SOCKET_ERROR]: 'socket-error',
};

const RTT_SOURCES: Record<wire.RttSource, RttSource> = {
  [wire.RttSource.UNSPECIFIED]: 'unknown',
  [wire.RttSource.WIRE]: 'wire',
  [wire.RttSource.SOCKET]: 'socket',
};

const PROCESS_SOURCES: Record<WireProcessSource, ProcessSource> = {
  [WireProcessSource.UNSPECIFIED]: 'unknown',
  [WireProcessSource.CONNECT]: 'connect',
  [WireProcessSource.ACCEPT]: 'accept',
  [WireProcessSource.DESCRIPTOR]: 'descriptor',
  [WireProcessSource.SHARED_DESCRIPTOR]: 'shared-descriptor',
  [WireProcessSource.LISTENER]: 'listener',
};

const EMPTY_HALF: Half = {
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
};

export function toConnection(message: wire.Connection): Connection {
  return {
    id: message.id,
    source: toEndpoint(message.source),
    destination: toEndpoint(message.destination),
    orientation: known(ORIENTATIONS, message.orientation, 'unknown'),
    localEnd: known(LOCAL_ENDS, message.localEnd, 'unknown'),
    state: known(STATES, message.state, 'UNKNOWN'),
    sourceState: known(STATES, message.sourceState, 'UNKNOWN'),
    destinationState: known(STATES, message.destinationState, 'UNKNOWN'),
    interface: message.interface,
    sent: toHalf(message.sent),
    received: toHalf(message.received),
    handshake: toHandshake(message.handshake),
    rtt: toRtt(message.rtt),
    firstSeenMs: toMilliseconds(message.firstSeen) ?? 0,
    lastSeenMs: toMilliseconds(message.lastSeen) ?? 0,
    closedAtMs: toMilliseconds(message.closedAt),
    closeReason: known(CLOSE_REASONS, message.closeReason, 'none'),
    ecn: message.ecn,
    sourceProcess: toProcess(message.sourceProcess),
    destinationProcess: toProcess(message.destinationProcess),
    verdict: toVerdict(message.verdict),
    sourceError: toError(message.sourceError),
    destinationError: toError(message.destinationError),
    reset: toReset(message.reset),
  };
}

function toError(message: wire.SocketError | undefined): string | undefined {
  return message && (message.name || `error ${String(message.number)}`);
}

function toReset(message: wire.Reset | undefined): Reset | undefined {
  return (
    message && { sender: message.sender === End.SOURCE ? 'source' : 'destination', reason: message.reason }
  );
}

export function toEndpoint(message: wire.Endpoint | undefined): Endpoint {
  return { address: message?.address ?? '', port: message?.port ?? 0 };
}

function toHalf(message: wire.Half | undefined): Half {
  if (message === undefined) {
    return EMPTY_HALF;
  }
  return {
    packets: Number(message.packets),
    wireBytes: Number(message.wireBytes),
    payloadBytes: Number(message.payloadBytes),
    retransmittedBytes: Number(message.retransmittedBytes),
    retransmissions: Number(message.retransmissions),
    fastRetransmissions: Number(message.fastRetransmissions),
    spuriousRetransmissions: Number(message.spuriousRetransmissions),
    synRetransmissions: Number(message.synRetransmissions),
    outOfOrder: Number(message.outOfOrder),
    duplicateAcks: Number(message.duplicateAcks),
    zeroWindows: Number(message.zeroWindows),
    windowFull: Number(message.windowFull),
    keepAlives: Number(message.keepAlives),
    lostSegments: Number(message.lostSegments),
    resets: Number(message.resets),
    ecnMarked: Number(message.ecnMarked),
    ecnEchoed: Number(message.ecnEchoed),
    payloadBytesPerSecond: Number(message.payloadBytesPerSecond),
    packetsPerSecond: Number(message.packetsPerSecond),
    lastSeq: message.lastSeq,
    lastAck: message.lastAck,
    windowBytes: message.windowBytes,
    mssBytes: message.mssBytes,
    windowScale: message.windowScale,
    sackPermitted: message.sackPermitted,
    timestamps: message.timestamps,
    fastOpen: message.fastOpen,
    inFlightBytes: message.inFlightBytes,
    usableWindowBytes: message.usableWindowBytes,
    rtt: toRtt(message.rtt),
    response: toResponse(message.response),
    socket: toSocket(message.socket),
  };
}

function toRtt(message: wire.Rtt | undefined): Rtt | undefined {
  if (message === undefined) {
    return undefined;
  }
  const { srttUs, rttvarUs, minUs, maxUs, lastUs } = message;
  const source = known(RTT_SOURCES, message.source, 'unknown');
  return { source, srttUs, rttvarUs, minUs, maxUs, lastUs, samples: toNumber(message.samples) };
}

function toResponse(message: wire.Response | undefined): Response | undefined {
  if (message === undefined) {
    return undefined;
  }
  return {
    count: Number(message.count),
    lastUs: Number(message.lastUs),
    meanUs: Number(message.meanUs),
    maxUs: Number(message.maxUs),
  };
}

function toSocket(message: wire.Socket | undefined): Socket | undefined {
  if (message === undefined) {
    return undefined;
  }
  return {
    sampledAtMs: toMilliseconds(message.sampledAt) ?? 0,
    srttUs: message.srttUs,
    minRttUs: message.minRttUs,
    congestionWindow: message.congestionWindow,
    slowStartThreshold: message.slowStartThreshold,
    mssBytes: message.mssBytes,
    inFlight: message.inFlight,
    retransmitted: message.retransmitted,
    lost: message.lost,
    sacked: message.sacked,
    retransmissions: toNumber(message.retransmissions),
    deliveryRateBytesPerSecond: toNumber(message.deliveryRateBytesPerSecond),
  };
}

export function toProcess(message: WireProcess | undefined): Process | undefined {
  if (message === undefined) {
    return undefined;
  }
  return {
    pid: message.pid,
    command: message.command,
    commandLine: message.commandLine,
    userId: message.userId,
    user: message.user,
    unit: message.unit,
    container: message.container,
    pod: message.pod,
    source: known(PROCESS_SOURCES, message.source, 'unknown'),
    certain: message.confidence === Confidence.CERTAIN,
  };
}

function toHandshake(message: wire.Handshake | undefined): Handshake | undefined {
  if (message === undefined) {
    return undefined;
  }
  return {
    rttUs: toNumber(message.rttUs),
    synToSynAckUs: toNumber(message.synToSynAckUs),
    synAckToAckUs: toNumber(message.synAckToAckUs),
  };
}

function toNumber(value: bigint | undefined): number | undefined {
  return value === undefined ? undefined : Number(value);
}
