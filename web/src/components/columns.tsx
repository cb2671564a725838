// The columns of the connection table: what they are called, how wide they are, what they show,
// and how wide the table must be for them.
import type { ReactElement, ReactNode } from 'react';
import { totalRetransmissions, type Connection } from '../domain/connection';
import { formatByteRate, formatBytes, formatCount, formatDuration, formatMicroseconds } from '../domain/format';
import type { SortColumn } from '../domain/sort';
import styles from './connection-row.module.css';
import { EndpointText } from './endpoint-text';
import { StateBadge } from './state-badge';

export interface Column {
  readonly sort: SortColumn;
  readonly label: string;
  readonly title: string;
  /** A CSS grid track. */
  readonly track: string;
  readonly numeric: boolean;
  /** Left out when the table is narrower than this. */
  readonly fromWidthPx: number;
  readonly cell: (connection: Connection, daemonNowMs: number) => ReactNode;
}

export const COLUMNS: readonly Column[] = [
  {
    sort: 'state',
    label: 'State',
    title: 'State of the end that is this host (RFC 9293)',
    track: '104px',
    numeric: false,
    fromWidthPx: 0,
    cell: ({ state }) => <StateBadge state={state} />,
  },
  {
    sort: 'source',
    label: 'Source',
    title: 'The end that opened the connection',
    track: 'minmax(130px, 1fr)',
    numeric: false,
    fromWidthPx: 0,
    cell: ({ source }) => <EndpointText address={source.address} port={source.port} />,
  },
  {
    sort: 'destination',
    label: 'Destination',
    title: 'The end that was connected to',
    track: 'minmax(130px, 1fr)',
    numeric: false,
    fromWidthPx: 0,
    cell: ({ destination }) => <EndpointText address={destination.address} port={destination.port} />,
  },
  {
    sort: 'interface',
    label: 'Interface',
    title: 'Where the connection is counted',
    track: '78px',
    numeric: false,
    fromWidthPx: 860,
    cell: (connection) => <span title={connection.interface}>{connection.interface}</span>,
  },
  {
    sort: 'rtt',
    label: 'RTT',
    title: 'Smoothed round-trip time to the far end',
    track: '74px',
    numeric: true,
    fromWidthPx: 0,
    cell: ({ rtt }) => <Quiet when={rtt === undefined}>{formatMicroseconds(rtt?.srttUs)}</Quiet>,
  },
  {
    sort: 'sentRate',
    label: 'Sent/s',
    title: 'Payload from source to destination, per second',
    track: '86px',
    numeric: true,
    fromWidthPx: 0,
    cell: ({ sent }) => <Rate direction="sent" bytesPerSecond={sent.payloadBytesPerSecond} />,
  },
  {
    sort: 'receivedRate',
    label: 'Received/s',
    title: 'Payload from destination to source, per second',
    track: '88px',
    numeric: true,
    fromWidthPx: 0,
    cell: ({ received }) => <Rate direction="received" bytesPerSecond={received.payloadBytesPerSecond} />,
  },
  {
    sort: 'sentBytes',
    label: 'Sent',
    title: 'Payload from source to destination since the connection was first seen',
    track: '76px',
    numeric: true,
    fromWidthPx: 0,
    cell: ({ sent }) => <Quiet when={sent.payloadBytes === 0}>{formatBytes(sent.payloadBytes)}</Quiet>,
  },
  {
    sort: 'receivedBytes',
    label: 'Received',
    title: 'Payload from destination to source since the connection was first seen',
    track: '80px',
    numeric: true,
    fromWidthPx: 0,
    cell: ({ received }) => (
      <Quiet when={received.payloadBytes === 0}>{formatBytes(received.payloadBytes)}</Quiet>
    ),
  },
  {
    sort: 'retransmissions',
    label: 'Retrans.',
    title: 'Retransmissions in both directions',
    track: '76px',
    numeric: true,
    fromWidthPx: 0,
    cell: (connection) => <Retransmissions count={totalRetransmissions(connection)} />,
  },
  {
    sort: 'age',
    label: 'Age',
    title: 'Since the first packet, until it ended',
    track: '84px',
    numeric: true,
    fromWidthPx: 1000,
    cell: ({ firstSeenMs, closedAtMs }, nowMs) => formatDuration((closedAtMs ?? nowMs) - firstSeenMs),
  },
  {
    sort: 'lastSeen',
    label: 'Last seen',
    title: 'Since the newest packet',
    track: '82px',
    numeric: true,
    fromWidthPx: 1080,
    cell: ({ lastSeenMs }, nowMs) => formatDuration(nowMs - lastSeenMs),
  },
];

export function columnsFor(widthPx: number): readonly Column[] {
  return COLUMNS.filter(({ fromWidthPx }) => fromWidthPx <= widthPx);
}

export function tracks(columns: readonly Column[]): string {
  return columns.map(({ track }) => track).join(' ');
}

function Quiet({ when, children }: { when: boolean; children: ReactNode }): ReactElement {
  return <span className={when ? styles.quiet : undefined}>{children}</span>;
}

function Rate({ direction, bytesPerSecond }: { direction: 'sent' | 'received'; bytesPerSecond: number }): ReactElement {
  return (
    <span className={bytesPerSecond === 0 ? styles.quiet : styles[direction]}>{formatByteRate(bytesPerSecond)}</span>
  );
}

function Retransmissions({ count }: { count: number }): ReactElement {
  return <span className={count === 0 ? styles.quiet : styles.retransmissions}>{formatCount(count)}</span>;
}
