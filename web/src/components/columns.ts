// The columns of the connection table as it shows them: those that were chosen, as far as there is room.
import type { ColumnName, ShownColumn } from '../domain/column';
import { isSortColumn, type SortColumn } from '../domain/sort';
import { MAKES, type ColumnMake } from './column-makes';

export interface Column extends ColumnMake {
  readonly name: ColumnName;
  /** Undefined where it cannot be sorted by. */
  readonly sort: SortColumn | undefined;
}

// The gap between columns and the inset of a row, as in connection-row.module.css.
const COLUMN_GAP_PX = 12;
const TABLE_INSET_PX = 12;

/** Every column there is, in the order in which they are offered. */
export const ALL_COLUMNS: readonly Column[] = (Object.keys(MAKES) as ColumnName[]).map((name) =>
  makeOf(name),
);

/** The columns of a table of this width: those that were chosen, or of the usual ones those that fit. */
export function columnsFor(
  shown: readonly ShownColumn[],
  isUsual: boolean,
  tableWidthPx: number,
): readonly Column[] {
  const chosen = shown.map(({ name, widthPx }) => {
    const column = makeOf(name);
    return widthPx === undefined ? column : { ...column, widthPx, wide: false };
  });
  if (!isUsual) {
    return chosen;
  }
  let columns: readonly Column[] = chosen;
  for (let drop = 6; drop > 0 && neededPx(columns) > tableWidthPx; drop -= 1) {
    columns = chosen.filter(({ dropFirst }) => (dropFirst ?? 0) < drop);
  }
  return columns;
}

/** The CSS grid tracks of these columns. */
export function tracks(columns: readonly Column[]): string {
  return columns
    .map(({ widthPx, wide }) => (wide === true ? `minmax(${widthPx}px, 1fr)` : `${widthPx}px`))
    .join(' ');
}

/** The least width of a row with these columns. */
export function neededPx(columns: readonly Column[]): number {
  const cellsPx = columns.reduce((sum, { widthPx }) => sum + widthPx, 0);
  return cellsPx + (columns.length - 1) * COLUMN_GAP_PX + 2 * TABLE_INSET_PX;
}

function makeOf(name: ColumnName): Column {
  return { ...MAKES[name], name, sort: isSortColumn(name) ? name : undefined };
}
