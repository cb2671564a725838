// Which columns there is room for.
import { describe, expect, it } from 'vitest';
import { DEFAULT_COLUMNS, toggleColumn } from '../domain/column';
import { columnsFor, neededPx, tracks } from './columns';

const namesAt = (widthPx: number, isUsual = true): string[] =>
  columnsFor(DEFAULT_COLUMNS, isUsual, widthPx).map(({ name }) => name);

describe('columns', () => {
  it('are all there where they have room, and leave out the least needed where they have not', () => {
    expect(namesAt(2560)).toHaveLength(DEFAULT_COLUMNS.length);
    expect(namesAt(1280)).not.toContain('sentBytes');
    expect(namesAt(1280)).toContain('process');
    expect(namesAt(700)).toContain('verdict');
    expect(namesAt(700)).not.toContain('state');
  });

  it('are all there, whatever the room, where they were chosen', () => {
    expect(namesAt(700, false)).toHaveLength(DEFAULT_COLUMNS.length);
  });

  it('have the width that was chosen, and share the room that is left otherwise', () => {
    const [source] = columnsFor([{ name: 'source', widthPx: 300 }], false, 1280);
    const [usual] = columnsFor([{ name: 'source', widthPx: undefined }], false, 1280);
    expect(tracks([source, usual].flatMap((column) => column ?? []))).toBe('300px minmax(158px, 1fr)');
  });

  it('need room for what is between them', () => {
    const two = columnsFor(toggleColumn([{ name: 'port', widthPx: 50 }], 'rtt'), false, 1280);
    expect(neededPx(two)).toBe(50 + 66 + 12 + 24);
  });
});
