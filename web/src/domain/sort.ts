// The order of the connection table: which columns can be sorted by, what the daemon calls that order,
// and a sort of what is held on prepared keys.
import {
  isClosed,
  totalBytesPerSecond,
  totalRetransmissions,
  type Connection,
  type Endpoint,
} from './connection';
import { STATES } from './tcp-state';

export type SortColumn =
  | 'activity'
  | 'state'
  | 'source'
  | 'destination'
  | 'interface'
  | 'rtt'
  | 'sentRate'
  | 'receivedRate'
  | 'sentBytes'
  | 'receivedBytes'
  | 'retransmissions'
  | 'age'
  | 'lastSeen';

export type SortDirection = 'ascending' | 'descending';

export interface Sort {
  readonly column: SortColumn;
  readonly direction: SortDirection;
}

/** Open before closed, busiest first, then newest first. */
export const DEFAULT_SORT: Sort = { column: 'activity', direction: 'descending' };

type Key = (connection: Connection) => number | string | undefined;

const KEYS: Record<SortColumn, Key> = {
  activity: (connection) => (isClosed(connection) ? -1 : totalBytesPerSecond(connection)),
  state: (connection) => STATES[connection.state].order,
  source: (connection) => endpointKey(connection.source),
  destination: (connection) => endpointKey(connection.destination),
  interface: (connection) => connection.interface,
  rtt: (connection) => connection.rtt?.srttUs,
  sentRate: (connection) => connection.sent.payloadBytesPerSecond,
  receivedRate: (connection) => connection.received.payloadBytesPerSecond,
  sentBytes: (connection) => connection.sent.payloadBytes,
  receivedBytes: (connection) => connection.received.payloadBytes,
  retransmissions: totalRetransmissions,
  // The oldest connection has the greatest age.
  age: ({ firstSeenMs }) => -firstSeenMs,
  lastSeen: (connection) => connection.lastSeenMs,
};

/** The field of the filter language that stands for a column, and whether it runs the other way. */
const FIELDS: Record<SortColumn, { readonly field: string; readonly reversed?: boolean }> = {
  activity: { field: 'rate' },
  state: { field: 'state' },
  source: { field: 'source.host' },
  destination: { field: 'destination.host' },
  interface: { field: 'interface' },
  rtt: { field: 'rtt' },
  sentRate: { field: 'sent.rate' },
  receivedRate: { field: 'received.rate' },
  sentBytes: { field: 'sent.bytes' },
  receivedBytes: { field: 'received.bytes' },
  retransmissions: { field: 'retransmissions' },
  age: { field: 'age' },
  // Seen last is idle least.
  lastSeen: { field: 'idle', reversed: true },
};

const TEXT_COLUMNS: ReadonlySet<SortColumn> = new Set(['source', 'destination', 'interface', 'state']);

const SORT_COLUMNS: ReadonlySet<string> = new Set(Object.keys(KEYS));

export function isSortColumn(name: string): name is SortColumn {
  return SORT_COLUMNS.has(name);
}

/** The order as the daemon is asked for it. */
export function orderByOf({ column, direction }: Sort): string {
  const { field, reversed } = FIELDS[column];
  return (direction === 'descending') === (reversed !== true) ? `${field} desc` : field;
}

/** The direction a column is first sorted in: text upwards, numbers from the greatest. */
export function firstDirection(column: SortColumn): SortDirection {
  return TEXT_COLUMNS.has(column) ? 'ascending' : 'descending';
}

/** The next sort after a click on a header: first direction, the other one, back to the default. */
export function nextSort(current: Sort, clicked: SortColumn): Sort {
  const first = firstDirection(clicked);
  if (current.column !== clicked) {
    return { column: clicked, direction: first };
  }
  return current.direction === first
    ? { column: clicked, direction: first === 'ascending' ? 'descending' : 'ascending' }
    : DEFAULT_SORT;
}

/** Sorted copy. What is not measured comes last in both directions; ties go newest first. */
export function sortConnections(connections: readonly Connection[], sort: Sort): Connection[] {
  const keyOf = KEYS[sort.column];
  const sign = sort.direction === 'ascending' ? 1 : -1;
  const keyed = connections.map((connection) => ({ connection, key: keyOf(connection) }));
  keyed.sort(
    (left, right) => compareKeys(left.key, right.key, sign) || compareIds(right.connection, left.connection),
  );
  return keyed.map(({ connection }) => connection);
}

function compareKeys(
  left: number | string | undefined,
  right: number | string | undefined,
  sign: number,
): number {
  if (left === right) {
    return 0;
  }
  if (left === undefined) {
    return 1;
  }
  if (right === undefined) {
    return -1;
  }
  return left < right ? -sign : sign;
}

function compareIds(left: Connection, right: Connection): number {
  return left.id < right.id ? -1 : left.id > right.id ? 1 : 0;
}

/** Sorts as the daemon does: IPv4 before IPv6, by number. */
function endpointKey({ address, port }: Endpoint): string {
  const portKey = String(port).padStart(5, '0');
  if (!address.includes(':')) {
    return `4 ${address.replace(/\d+/g, (part) => part.padStart(3, '0'))} ${portKey}`;
  }
  const [head = '', tail] = address.split('::');
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'));
  const [first, last] = [groups(head), groups(tail ?? '')];
  const middle =
    tail === undefined ? [] : Array<string>(Math.max(0, 8 - first.length - last.length)).fill('0');
  return `6 ${[...first, ...middle, ...last].map((group) => group.padStart(4, '0')).join(':')} ${portKey}`;
}
