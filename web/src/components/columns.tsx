// The columns of the connection table: what they are called, how wide they are, what they show,
// and how wide the table must be for them.
import type { ReactElement, ReactNode } from 'react';
import { totalRetransmissions, type Connection } from '../domain/connection';
import {
  formatByteRate,
  formatBytes,
  formatCount,
  formatDuration,
  formatMicroseconds,
} from '../domain/format';
import type { SortColumn } from '../domain/sort';
import styles from './connection-row.module.css';
import { EndpointText } from './endpoint-text';
import { StateBadge } from './state-badge';

export interface Column {
  readonly sort: SortColumn;
  readonly label: string;
  readonly title: string;
  /** Text columns marked as wide share the room that is left. */
  readonly widthPx: number;
  readonly wide?: boolean;
  readonly numeric: boolean;
  /** Where there is no room, the column with the highest number is left out first; 0 never is. */
  readonly dropFirst: number;
  readonly cell: (connection: Connection, daemonNowMs: number) => ReactNode;
}

// The gap between columns and the inset of a row, as in connection-row.module.css.
const COLUMN_GAP_PX = 12;
const TABLE_INSET_PX = 16;

export const COLUMNS: readonly Column[] = [
  {
    sort: 'state',
    label: 'State',
    title: 'State of the end that is this host (RFC 9293)',
    widthPx: 96,
    numeric: false,
    dropFirst: 0,
    cell: ({ state }) => <StateBadge state={state} />,
  },
  {
    sort: 'source',
    label: 'Source',
    title: 'The end that opened the connection',
    widthPx: 156,
    wide: true,
    numeric: false,
    dropFirst: 0,
    cell: ({ source }) => <EndpointText address={source.address} port={source.port} />,
  },
  {
    sort: 'destination',
    label: 'Destination',
    title: 'The end that was connected to',
    widthPx: 156,
    wide: true,
    numeric: false,
    dropFirst: 0,
    cell: ({ destination }) => <EndpointText address={destination.address} port={destination.port} />,
  },
  {
    sort: 'interface',
    label: 'Interface',
    title: 'Where the connection is counted',
    widthPx: 72,
    numeric: false,
    dropFirst: 3,
    cell: (connection) => <span title={connection.interface}>{connection.interface}</span>,
  },
  {
    sort: 'rtt',
    label: 'RTT',
    title: 'Smoothed round-trip time to the far end',
    widthPx: 66,
    numeric: true,
    dropFirst: 0,
    cell: ({ rtt }) => <Quiet when={rtt === undefined}>{formatMicroseconds(rtt?.srttUs)}</Quiet>,
  },
  {
    sort: 'sentRate',
    label: 'Sent/s',
    title: 'Payload from source to destination, per second',
    widthPx: 80,
    numeric: true,
    dropFirst: 0,
    cell: ({ sent }) => <Rate direction="sent" bytesPerSecond={sent.payloadBytesPerSecond} />,
  },
  {
    sort: 'receivedRate',
    label: 'Received/s',
    title: 'Payload from destination to source, per second',
    widthPx: 80,
    numeric: true,
    dropFirst: 0,
    cell: ({ received }) => <Rate direction="received" bytesPerSecond={received.payloadBytesPerSecond} />,
  },
  {
    sort: 'sentBytes',
    label: 'Sent',
    title: 'Payload from source to destination since the connection was first seen',
    widthPx: 70,
    numeric: true,
    dropFirst: 1,
    cell: ({ sent }) => <Quiet when={sent.payloadBytes === 0}>{formatBytes(sent.payloadBytes)}</Quiet>,
  },
  {
    sort: 'receivedBytes',
    label: 'Received',
    title: 'Payload from destination to source since the connection was first seen',
    widthPx: 70,
    numeric: true,
    dropFirst: 1,
    cell: ({ received }) => (
      <Quiet when={received.payloadBytes === 0}>{formatBytes(received.payloadBytes)}</Quiet>
    ),
  },
  {
    sort: 'retransmissions',
    label: 'Retrans.',
    title: 'Retransmissions in both directions',
    widthPx: 64,
    numeric: true,
    dropFirst: 0,
    cell: (connection) => <Retransmissions count={totalRetransmissions(connection)} />,
  },
  {
    sort: 'age',
    label: 'Age',
    title: 'Since the first packet, until it ended',
    widthPx: 74,
    numeric: true,
    dropFirst: 4,
    cell: ({ firstSeenMs, closedAtMs }, nowMs) => formatDuration((closedAtMs ?? nowMs) - firstSeenMs),
  },
  {
    sort: 'lastSeen',
    label: 'Last seen',
    title: 'Since the newest packet',
    widthPx: 74,
    numeric: true,
    dropFirst: 5,
    cell: ({ lastSeenMs }, nowMs) => formatDuration(nowMs - lastSeenMs),
  },
];

/** The columns that fit into a table of this width, the dispensable ones left out first. */
export function columnsFor(tableWidthPx: number): readonly Column[] {
  const mostDispensable = Math.max(...COLUMNS.map(({ dropFirst }) => dropFirst));
  let columns = COLUMNS;
  for (let drop = mostDispensable; drop > 0 && neededPx(columns) > tableWidthPx; drop -= 1) {
    columns = COLUMNS.filter(({ dropFirst }) => dropFirst < drop);
  }
  return columns;
}

/** The CSS grid tracks of these columns. */
export function tracks(columns: readonly Column[]): string {
  return columns.map(({ widthPx, wide }) => (wide === true ? `minmax(0, 1fr)` : `${widthPx}px`)).join(' ');
}

function neededPx(columns: readonly Column[]): number {
  const cellsPx = columns.reduce((sum, { widthPx }) => sum + widthPx, 0);
  return cellsPx + (columns.length - 1) * COLUMN_GAP_PX + 2 * TABLE_INSET_PX;
}

function Quiet({ when, children }: { when: boolean; children: ReactNode }): ReactElement {
  return <span className={when ? styles.quiet : undefined}>{children}</span>;
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

function Retransmissions({ count }: { count: number }): ReactElement {
  return <span className={count === 0 ? styles.quiet : styles.retransmissions}>{formatCount(count)}</span>;
}
