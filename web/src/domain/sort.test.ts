// The order of connections as the daemon is asked for it, and how a click on a header changes it.
import { describe, expect, it } from 'vitest';
import { DEFAULT_SORT, isSortColumn, nextSort, orderByOf, type Sort } from './sort';

describe('sort', () => {
  it.each<[Sort, string]>([
    [DEFAULT_SORT, 'rate desc'],
    [{ column: 'source', direction: 'ascending' }, 'source.host'],
    [{ column: 'lastSeen', direction: 'descending' }, 'idle'],
    [{ column: 'lastSeen', direction: 'ascending' }, 'idle desc'],
  ])('asks for %j as %s', (sort, asked) => {
    expect(orderByOf(sort)).toBe(asked);
  });

  it('knows its columns by name', () => {
    expect(isSortColumn('rtt')).toBe(true);
    expect(isSortColumn('toString')).toBe(false);
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
