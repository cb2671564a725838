// The order of the connection table: by which column, which way, and what the daemon calls that order. The
// daemon sorts; the table shows its order.

/** What the table can be sorted by, and the field of the filter language that stands for it. */
const FIELDS = {
  state: { field: 'state', text: true },
  verdict: { field: 'verdict.severity' },
  source: { field: 'source.host', text: true },
  destination: { field: 'destination.host', text: true },
  process: { field: 'source.process', text: true },
  port: { field: 'destination.port', text: true },
  interface: { field: 'interface', text: true },
  rate: { field: 'rate' },
  sentRate: { field: 'sent.rate' },
  receivedRate: { field: 'received.rate' },
  packetRate: { field: 'packet_rate' },
  bytes: { field: 'bytes' },
  sentBytes: { field: 'sent.bytes' },
  receivedBytes: { field: 'received.bytes' },
  packets: { field: 'packets' },
  rtt: { field: 'rtt' },
  response: { field: 'received.response' },
  retransmissions: { field: 'retransmissions' },
  retransmissionShare: { field: 'retransmission_rate' },
  outOfOrder: { field: 'out_of_order' },
  zeroWindows: { field: 'zero_windows' },
  age: { field: 'age' },
  // Seen last is idle least.
  lastSeen: { field: 'idle', reversed: true },
  ended: { field: 'close_reason', text: true },
} as const satisfies Record<string, FieldOf>;

interface FieldOf {
  readonly field: string;
  /** Whether it is sorted upwards first. */
  readonly text?: boolean;
  /** Whether the field runs the other way than the column. */
  readonly reversed?: boolean;
}

export type SortColumn = keyof typeof FIELDS;

export type SortDirection = 'ascending' | 'descending';

export interface Sort {
  readonly column: SortColumn;
  readonly direction: SortDirection;
}

/** Busiest first. */
export const DEFAULT_SORT: Sort = { column: 'rate', direction: 'descending' };

export function isSortColumn(name: string): name is SortColumn {
  return Object.hasOwn(FIELDS, name);
}

/** The order as the daemon is asked for it. */
export function orderByOf({ column, direction }: Sort): string {
  const { field, reversed }: FieldOf = FIELDS[column];
  return (direction === 'descending') === (reversed !== true) ? `${field} desc` : field;
}

/** The direction a column is first sorted in: text upwards, numbers from the greatest. */
export function firstDirection(column: SortColumn): SortDirection {
  const { text }: FieldOf = FIELDS[column];
  return text === true ? 'ascending' : 'descending';
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
