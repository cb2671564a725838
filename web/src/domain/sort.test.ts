// The order of connections and how a click on a header changes it.
import { describe, expect, it } from 'vitest';
import { connection, half } from '../test/fixtures';
import type { Connection } from './connection';
import { DEFAULT_SORT, nextSort, orderByOf, sortConnections, type Sort } from './sort';

const rtt = (srttUs: number): Connection['rtt'] => ({
  source: 'wire',
  srttUs,
  rttvarUs: 0,
  minUs: 0,
  maxUs: 0,
  lastUs: 0,
  samples: 1,
});

function order(connections: readonly Connection[], sort: Sort): number[] {
  return sortConnections(connections, sort).map(({ id }) => Number(id));
}

describe('sort', () => {
  it('puts the busiest open connection first, then the newest, and closed ones last', () => {
    const busy = connection(1, { sent: half({ payloadBytesPerSecond: 10 }) });
    const closed = connection(4, { closedAtMs: 1 });
    expect(order([connection(2), closed, busy, connection(3)], DEFAULT_SORT)).toEqual([1, 3, 2, 4]);
  });

  it('puts what is not measured last in both directions', () => {
    const rows = [connection(1), connection(2, { rtt: rtt(5) }), connection(3, { rtt: rtt(9) })];
    expect(order(rows, { column: 'rtt', direction: 'descending' })).toEqual([3, 2, 1]);
    expect(order(rows, { column: 'rtt', direction: 'ascending' })).toEqual([2, 3, 1]);
  });

  it('sorts states by the life of a connection', () => {
    const rows = [connection(1, { state: 'CLOSED' }), connection(2), connection(3, { state: 'SYN_SENT' })];
    expect(order(rows, { column: 'state', direction: 'ascending' })).toEqual([3, 2, 1]);
  });

  it('sorts addresses by number, IPv4 before IPv6, as the daemon does', () => {
    const from = (id: number, address: string, port = 1): Connection =>
      connection(id, { source: { address, port } });
    const rows = [
      from(1, '::ffff:1'),
      from(2, '10.0.0.10'),
      from(3, '9.0.0.1'),
      from(4, '10.0.0.9', 80),
      from(5, '10.0.0.9', 9),
      from(6, '2001:db8::1'),
    ];
    expect(order(rows, { column: 'source', direction: 'ascending' })).toEqual([3, 5, 4, 2, 1, 6]);
  });

  it.each<[Sort, string]>([
    [DEFAULT_SORT, 'rate desc'],
    [{ column: 'source', direction: 'ascending' }, 'source.host'],
    [{ column: 'lastSeen', direction: 'descending' }, 'idle'],
    [{ column: 'lastSeen', direction: 'ascending' }, 'idle desc'],
  ])('asks for %j as %s', (sort, asked) => {
    expect(orderByOf(sort)).toBe(asked);
  });

  it('goes from the first direction to the other and back to the default', () => {
    const first = nextSort(DEFAULT_SORT, 'rtt');
    const second = nextSort(first, 'rtt');
    expect(first).toEqual({ column: 'rtt', direction: 'descending' });
    expect(second).toEqual({ column: 'rtt', direction: 'ascending' });
    expect(nextSort(second, 'rtt')).toEqual(DEFAULT_SORT);
    expect(nextSort(first, 'source')).toEqual({ column: 'source', direction: 'ascending' });
  });
});
