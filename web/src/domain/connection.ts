// One TCP connection in the words of the dashboard: plain values, times in milliseconds since
// the epoch, and `undefined` for everything that was not measured.
import type { TcpState } from './tcp-state';
import type { Verdict } from './verdict';

export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

export type Orientation = 'unknown' | 'handshake' | 'ports' | 'listener';
export type LocalEnd = 'unknown' | 'source' | 'destination' | 'both' | 'neither';
export type CloseReason =
  | 'none'
  | 'fin'
  | 'reset-by-source'
  | 'reset-by-destination'
  | 'refused'
  | 'idle-timeout'
  | 'handshake-timeout'
  | 'replaced'
  | 'given-up'
  | 'socket-gone'
  | 'socket-error';

export type RttSource = 'unknown' | 'wire' | 'socket';

export interface Rtt {
  readonly source: RttSource;
  readonly srttUs: number;
  readonly rttvarUs: number | undefined;
  readonly minUs: number;
  readonly maxUs: number | undefined;
  readonly lastUs: number | undefined;
  readonly samples: number | undefined;
}

/** How long a side took to answer the other. */
export interface Response {
  readonly count: number;
  readonly lastUs: number;
  readonly meanUs: number;
  readonly maxUs: number;
}

/** What the kernel says of a socket of this host. */
export interface Socket {
  readonly sampledAtMs: number;
  readonly srttUs: number | undefined;
  readonly minRttUs: number | undefined;
  readonly congestionWindow: number;
  readonly slowStartThreshold: number | undefined;
  readonly mssBytes: number | undefined;
  readonly inFlight: number | undefined;
  readonly retransmitted: number | undefined;
  readonly lost: number | undefined;
  readonly sacked: number | undefined;
  readonly retransmissions: number | undefined;
  readonly deliveryRateBytesPerSecond: number | undefined;
}

export interface Handshake {
  readonly rttUs: number | undefined;
  readonly synToSynAckUs: number | undefined;
  readonly synAckToAckUs: number | undefined;
}

export type ProcessSource =
  'unknown' | 'connect' | 'accept' | 'descriptor' | 'shared-descriptor' | 'listener';

/** The process at an end of a connection, as it was when it was found there. */
export interface Process {
  readonly pid: number;
  readonly command: string;
  readonly commandLine: string | undefined;
  readonly userId: number;
  readonly user: string | undefined;
  readonly unit: string | undefined;
  readonly container: string | undefined;
  readonly pod: string | undefined;
  readonly source: ProcessSource;
  readonly certain: boolean;
}

/** A reset that this host sent, and the kernel's reason. */
export interface Reset {
  readonly sender: 'source' | 'destination';
  readonly reason: string;
}

/** One direction of a connection. */
export interface Half {
  readonly packets: number;
  readonly wireBytes: number;
  readonly payloadBytes: number;
  readonly retransmittedBytes: number;
  readonly retransmissions: number;
  readonly fastRetransmissions: number;
  readonly spuriousRetransmissions: number;
  readonly synRetransmissions: number;
  readonly outOfOrder: number;
  readonly duplicateAcks: number;
  readonly zeroWindows: number;
  readonly windowFull: number;
  readonly keepAlives: number;
  readonly lostSegments: number;
  readonly resets: number;
  readonly ecnMarked: number;
  readonly ecnEchoed: number;
  readonly payloadBytesPerSecond: number;
  readonly packetsPerSecond: number;
  readonly lastSeq: number | undefined;
  readonly lastAck: number | undefined;
  readonly windowBytes: number | undefined;
  readonly mssBytes: number | undefined;
  readonly windowScale: number | undefined;
  readonly sackPermitted: boolean | undefined;
  readonly timestamps: boolean | undefined;
  readonly fastOpen: boolean | undefined;
  readonly inFlightBytes: number | undefined;
  readonly usableWindowBytes: number | undefined;
  /** On the wire. */
  readonly rtt: Rtt | undefined;
  readonly response: Response | undefined;
  readonly socket: Socket | undefined;
}

export interface Connection {
  /** Valid within one run of the daemon. */
  readonly id: bigint;
  readonly source: Endpoint;
  readonly destination: Endpoint;
  readonly orientation: Orientation;
  readonly localEnd: LocalEnd;
  readonly state: TcpState;
  readonly sourceState: TcpState;
  readonly destinationState: TcpState;
  readonly interface: string;
  /** Source to destination. */
  readonly sent: Half;
  /** Destination to source. */
  readonly received: Half;
  readonly handshake: Handshake | undefined;
  readonly rtt: Rtt | undefined;
  readonly firstSeenMs: number;
  readonly lastSeenMs: number;
  /** Absent while the connection lives. */
  readonly closedAtMs: number | undefined;
  readonly closeReason: CloseReason;
  /** Whether both ends agreed to explicit congestion notification. */
  readonly ecn: boolean | undefined;
  /** Absent where that end is not a socket of this host, or nobody was found. */
  readonly sourceProcess: Process | undefined;
  readonly destinationProcess: Process | undefined;
  /** Absent until the daemon has seen enough. */
  readonly verdict: Verdict | undefined;
  /** The error that the source's socket reported, by its name. Absent where none did, or it is not this host's. */
  readonly sourceError: string | undefined;
  readonly destinationError: string | undefined;
  /** Absent where this host sent none. */
  readonly reset: Reset | undefined;
}

/** A connection named across runs of the daemon, as a shared link does. */
export interface ConnectionRef {
  readonly instance: bigint;
  readonly id: bigint;
}

/** A place in the table's history, from which a stream can go on. */
export interface ResumePoint {
  readonly instance: bigint;
  readonly revision: bigint;
}

export const ORIENTATION_WORDS: Record<Orientation, string> = {
  unknown: 'not known',
  handshake: 'handshake seen: certain',
  ports: 'joined in mid-life: the higher port is taken for the source',
  listener: 'older than the daemon: told by where this host listens',
};

export const LOCAL_END_WORDS: Record<LocalEnd, string> = {
  unknown: 'not known yet',
  source: 'the source is this host',
  destination: 'the destination is this host',
  both: 'both ends are this host',
  neither: 'passes through this host',
};

export const RTT_SOURCE_WORDS: Record<RttSource, string> = {
  unknown: 'not known',
  wire: 'measured on the wire',
  socket: 'what the kernel says of the socket of this host',
};

export const PROCESS_SOURCE_WORDS: Record<ProcessSource, string> = {
  unknown: 'not known how',
  connect: 'the kernel saw it connect',
  accept: 'the kernel saw it accept',
  descriptor: 'it alone holds the socket',
  'shared-descriptor': 'the oldest of several that hold the socket',
  listener: 'it owns the listener that the connection came to',
};

export const CLOSE_REASON_WORDS: Record<CloseReason, string> = {
  none: 'has not ended',
  fin: 'both ends finished (FIN)',
  'reset-by-source': 'the source reset it (RST)',
  'reset-by-destination': 'the destination reset it (RST)',
  refused: 'the destination refused it (RST to the SYN)',
  'idle-timeout': 'no packet for too long: taken for dead',
  'handshake-timeout': 'the SYN was never answered',
  replaced: 'a new connection began on the same endpoints',
  'given-up': 'half-open, and its place was needed for a newer one',
  'socket-gone': 'its socket is gone, and no packet said why',
  'socket-error': 'its socket failed, and no packet said so',
};

/** What the kernel of this host said of why a connection failed; nothing where it said nothing. */
export function kernelWords({ sourceError, destinationError, reset }: Connection): string {
  const words = [
    sourceError === undefined ? [] : [`${sourceError} at the source`],
    destinationError === undefined ? [] : [`${destinationError} at the destination`],
    reset === undefined ? [] : [`reset by the ${reset.sender} for ${reset.reason}`],
  ];
  return words.flat().join(', ');
}

/** Both directions together. */
export function totalBytesPerSecond(connection: Connection): number {
  return connection.sent.payloadBytesPerSecond + connection.received.payloadBytesPerSecond;
}

export function totalRetransmissions(connection: Connection): number {
  return connection.sent.retransmissions + connection.received.retransmissions;
}

export function isClosed(connection: Connection): boolean {
  return connection.closedAtMs !== undefined;
}

/** Share of the packets of both directions that were sent again; undefined without packets. */
export function retransmissionShare(connection: Connection): number | undefined {
  const packets = connection.sent.packets + connection.received.packets;
  return packets === 0 ? undefined : totalRetransmissions(connection) / packets;
}

/** The process at this host's end; at the source's where both ends are this host's. */
export function processOf({ sourceProcess, destinationProcess }: Connection): Process | undefined {
  return sourceProcess ?? destinationProcess;
}
