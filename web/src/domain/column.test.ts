// Columns are shown, moved and resized, and nonsense in the storage does no harm.
import { describe, expect, it } from 'vitest';
import {
  areUsual,
  DEFAULT_COLUMNS,
  moveColumn,
  readColumns,
  resizeColumn,
  toggleColumn,
  type ShownColumn,
} from './column';

const names = (columns: readonly ShownColumn[] | undefined): string =>
  (columns ?? []).map(({ name }) => name).join();

describe('columns', () => {
  const three = (['state', 'source', 'destination'] as const).map((name) => ({ name, widthPx: undefined }));

  it('are shown at the end and no longer, but the last one stays', () => {
    expect(names(toggleColumn(three, 'rtt'))).toBe('state,source,destination,rtt');
    expect(names(toggleColumn(three, 'source'))).toBe('state,destination');
    expect(names(toggleColumn(three.slice(0, 1), 'state'))).toBe('state');
  });

  it('move within the table', () => {
    expect(names(moveColumn(three, 'state', 1))).toBe('source,state,destination');
    expect(names(moveColumn(three, 'state', 99))).toBe('source,destination,state');
    expect(names(moveColumn(three, 'destination', -1))).toBe('destination,state,source');
  });

  it('are the usual ones in any order and width, as long as none is added or taken away', () => {
    const moved = moveColumn(resizeColumn(DEFAULT_COLUMNS, 'source', 300), 'source', 0);
    expect(areUsual(moved)).toBe(true);
    expect(areUsual(toggleColumn(moved, 'source'))).toBe(false);
    expect(areUsual(toggleColumn(moved, 'packets'))).toBe(false);
  });

  it('have a least width', () => {
    expect(resizeColumn(three, 'state', 3)[0]).toEqual({ name: 'state', widthPx: 44 });
    expect(resizeColumn(three, 'state', undefined)[0]).toEqual({ name: 'state', widthPx: undefined });
  });

  it.each([[undefined], ['x'], [[]], [[1, { name: 'colour' }]]])('are the usual ones for %j', (stored) => {
    expect(readColumns(stored)).toBeUndefined();
  });

  it('come back from the storage', () => {
    const stored: unknown = JSON.parse('[{"name":"rtt","widthPx":90},{"name":"rtt"},{"name":"rttTrail"}]');
    expect(readColumns(stored)).toEqual([
      { name: 'rtt', widthPx: 90 },
      { name: 'rttTrail', widthPx: undefined },
    ]);
  });
});
