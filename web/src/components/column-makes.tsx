// What the columns of the connection table are called, how wide they are made, what they show, and which filter a
// value in them stands for.
import type { ReactElement, ReactNode } from 'react';
import type { ColumnName } from '../domain/column';
import {
  CLOSE_REASON_WORDS,
  processOf,
  retransmissionShare,
  totalBytesPerSecond,
  totalRetransmissions,
  type Connection,
} from '../domain/connection';
import {
  formatByteRate,
  formatBytes,
  formatCount,
  formatMicroseconds,
  formatRate,
  formatShare,
  NOT_MEASURED,
} from '../domain/format';
import { stateWord } from '../domain/tcp-state';
import { filterOfVerdict } from '../domain/verdict';
import styles from './connection-row.module.css';
import { DurationSince } from './duration-since';
import { EndpointText } from './endpoint-text';
import { ProcessName } from './process-name';
import { RowTrail } from './row-trail';
import { StateBadge } from './state-badge';
import { VerdictBadge } from './verdict-badge';

export interface ColumnMake {
  readonly label: string;
  readonly title: string;
  readonly widthPx: number;
  /** Shares the room that is left. */
  readonly wide?: boolean;
  readonly numeric?: boolean;
  /** Where there is no room and nothing was chosen, the column with the highest number is left out first. */
  readonly dropFirst?: number;
  readonly cell: (connection: Connection) => ReactNode;
  /** The filter by what this cell says. */
  readonly filter?: (connection: Connection) => string | undefined;
}

export const MAKES: Record<ColumnName, ColumnMake> = {
  state: {
    label: 'State',
    title: 'State of the end that is this host (RFC 9293)',
    widthPx: 104,
    dropFirst: 1,
    cell: ({ state }) => <StateBadge state={state} />,
    filter: ({ state }) => (state === 'UNKNOWN' ? undefined : `state == ${stateWord(state)}`),
  },
  verdict: {
    label: 'Verdict',
    title: 'Why it is as it is: what is wrong, and by its sign where that lies',
    widthPx: 112,
    cell: ({ verdict }) =>
      verdict === undefined ? (
        <span className={styles.quiet}>{NOT_MEASURED}</span>
      ) : (
        <VerdictBadge verdict={verdict} />
      ),
    filter: ({ verdict }) => filterOfVerdict(verdict),
  },
  source: {
    label: 'Source',
    title: 'The end that opened the connection',
    widthPx: 158,
    wide: true,
    cell: ({ source }) => <EndpointText address={source.address} port={source.port} />,
    filter: ({ source }) => `source.host == ${source.address}`,
  },
  destination: {
    label: 'Destination',
    title: 'The end that was connected to',
    widthPx: 158,
    wide: true,
    cell: ({ destination }) => <EndpointText address={destination.address} port={destination.port} />,
    filter: ({ destination }) =>
      `destination.host == ${destination.address} and destination.port == ${destination.port}`,
  },
  process: {
    label: 'Process',
    title: "The process at this host's end; at the source's where both ends are this host's",
    widthPx: 118,
    dropFirst: 2,
    cell: (connection) => <ProcessName process={processOf(connection)} />,
    filter: (connection) => {
      const command = processOf(connection)?.command;
      return command === undefined ? undefined : `process == ${JSON.stringify(command)}`;
    },
  },
  port: {
    label: 'Port',
    title: 'Port of the destination: the service',
    widthPx: 52,
    numeric: true,
    cell: ({ destination }) => destination.port,
    filter: ({ destination }) => `destination.port == ${destination.port}`,
  },
  interface: {
    label: 'Interface',
    title: 'Where the connection is counted',
    widthPx: 72,
    cell: (connection) => connection.interface,
    filter: (connection) => `interface == "${connection.interface}"`,
  },
  rateTrail: {
    label: 'Last 30 s',
    title: 'How the payload rate moved over the last half minute, each row in a scale of its own',
    widthPx: 72,
    dropFirst: 4,
    cell: ({ id }) => <RowTrail id={id} of="rate" />,
  },
  rate: {
    label: 'Rate',
    title: 'Payload per second, both ways',
    widthPx: 80,
    numeric: true,
    cell: (connection) => <Rate bytesPerSecond={totalBytesPerSecond(connection)} direction="sent" />,
  },
  sentRate: {
    label: 'Sent/s',
    title: 'Payload from source to destination, per second',
    widthPx: 80,
    numeric: true,
    cell: ({ sent }) => <Rate direction="sent" bytesPerSecond={sent.payloadBytesPerSecond} />,
  },
  receivedRate: {
    label: 'Received/s',
    title: 'Payload from destination to source, per second',
    widthPx: 80,
    numeric: true,
    cell: ({ received }) => <Rate direction="received" bytesPerSecond={received.payloadBytesPerSecond} />,
  },
  packetRate: {
    label: 'Packets/s',
    title: 'Packets on the wire per second, both ways',
    widthPx: 68,
    numeric: true,
    cell: ({ sent, received }) => quiet(sent.packetsPerSecond + received.packetsPerSecond, formatRate),
  },
  bytes: {
    label: 'Payload',
    title: 'Payload since the connection was first seen, both ways',
    widthPx: 72,
    numeric: true,
    cell: ({ sent, received }) => quiet(sent.payloadBytes + received.payloadBytes, formatBytes),
  },
  sentBytes: {
    label: 'Sent',
    title: 'Payload from source to destination since the connection was first seen',
    widthPx: 70,
    numeric: true,
    dropFirst: 5,
    cell: ({ sent }) => quiet(sent.payloadBytes, formatBytes),
  },
  receivedBytes: {
    label: 'Received',
    title: 'Payload from destination to source since the connection was first seen',
    widthPx: 70,
    numeric: true,
    dropFirst: 5,
    cell: ({ received }) => quiet(received.payloadBytes, formatBytes),
  },
  packets: {
    label: 'Packets',
    title: 'Packets on the wire since the connection was first seen, both ways',
    widthPx: 72,
    numeric: true,
    cell: ({ sent, received }) => quiet(sent.packets + received.packets, formatCount),
  },
  rtt: {
    label: 'RTT',
    title: 'Smoothed round-trip time to the far end',
    widthPx: 66,
    numeric: true,
    cell: ({ rtt }) => quiet(rtt?.srttUs, formatMicroseconds),
    filter: ({ rtt }) => (rtt === undefined ? undefined : `rtt >= ${rtt.srttUs}us`),
  },
  rttTrail: {
    label: 'RTT, 30 s',
    title: 'How the round-trip time moved over the last half minute, each row in a scale of its own',
    widthPx: 72,
    cell: ({ id }) => <RowTrail id={id} of="round-trip" />,
  },
  response: {
    label: 'Response',
    title: 'Mean time until the destination answers',
    widthPx: 70,
    numeric: true,
    cell: ({ received }) => quiet(received.response?.meanUs, formatMicroseconds),
  },
  retransmissions: {
    label: 'Retrans.',
    title: 'Retransmissions in both directions',
    widthPx: 64,
    numeric: true,
    cell: (connection) => warned(totalRetransmissions(connection), formatCount),
    filter: () => 'retransmissions > 0',
  },
  retransmissionShare: {
    label: 'Sent again',
    title: 'Share of the packets of both directions that were sent again',
    widthPx: 72,
    numeric: true,
    cell: (connection) => warned(retransmissionShare(connection), formatShare),
    filter: () => 'retransmissions > 0',
  },
  outOfOrder: {
    label: 'Reordered',
    title: 'Packets that were overtaken on the way, both directions',
    widthPx: 72,
    numeric: true,
    cell: ({ sent, received }) => quiet(sent.outOfOrder + received.outOfOrder, formatCount),
  },
  zeroWindows: {
    label: 'Zero win.',
    title: 'Packets that offer no receive window, both directions',
    widthPx: 66,
    numeric: true,
    cell: ({ sent, received }) => warned(sent.zeroWindows + received.zeroWindows, formatCount),
    filter: () => 'zero_windows > 0',
  },
  age: {
    label: 'Age',
    title: 'Since the first packet, until it ended',
    widthPx: 76,
    numeric: true,
    dropFirst: 3,
    cell: ({ firstSeenMs, closedAtMs }) => <DurationSince fromMs={firstSeenMs} untilMs={closedAtMs} />,
  },
  lastSeen: {
    label: 'Last seen',
    title: 'Since the newest packet',
    widthPx: 76,
    numeric: true,
    cell: ({ lastSeenMs }) => <DurationSince fromMs={lastSeenMs} />,
  },
  ended: {
    label: 'Ended',
    title: 'How the connection ended',
    widthPx: 190,
    cell: ({ closeReason }) => (closeReason === 'none' ? '' : CLOSE_REASON_WORDS[closeReason]),
    filter: ({ closeReason }) => (closeReason === 'none' ? undefined : `close_reason == ${closeReason}`),
  },
};

/** Faint while there is nothing to see. */
function quiet(value: number | undefined, format: (value: number | undefined) => string): ReactElement {
  return (
    <span className={value === undefined || value === 0 ? styles.quiet : undefined}>{format(value)}</span>
  );
}

function warned(value: number | undefined, format: (value: number | undefined) => string): ReactElement {
  return (
    <span className={(value ?? 0) === 0 ? styles.quiet : styles.warned}>
      {value === undefined ? NOT_MEASURED : format(value)}
    </span>
  );
}

function Rate({
  direction,
  bytesPerSecond,
}: {
  direction: 'sent' | 'received';
  bytesPerSecond: number;
}): ReactElement {
  return (
    <span className={bytesPerSecond === 0 ? styles.quiet : styles[direction]}>
      {formatByteRate(bytesPerSecond)}
    </span>
  );
}
