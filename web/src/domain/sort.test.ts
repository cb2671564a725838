// The order of connections and how a click on a header changes it.
import { describe, expect, it } from 'vitest';
import { connection, half } from '../test/fixtures';
import type { Connection } from './connection';
import { compareBy, DEFAULT_SORT, nextSort, sortConnections, type Sort } from './sort';

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

  it('compares two connections as it sorts many', () => {
    const rows = [connection(1, { rtt: rtt(3) }), connection(2), connection(3, { rtt: rtt(3) })];
    const sort: Sort = { column: 'rtt', direction: 'descending' };
    expect([...rows].sort(compareBy(sort))).toEqual(sortConnections(rows, sort));
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
