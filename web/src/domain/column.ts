// Which columns the connection table can show, which it shows, in what order and how wide.
import { isSortColumn, type SortColumn } from './sort';

/** Those that can be sorted by, and pictures of how a number moved. */
export type ColumnName = SortColumn | 'rateTrail' | 'rttTrail';

export interface ShownColumn {
  readonly name: ColumnName;
  /** Undefined: as wide as it is made. */
  readonly widthPx: number | undefined;
}

export const LEAST_WIDTH_PX = 44;
const MOST_WIDTH_PX = 800;

export const DEFAULT_COLUMNS: readonly ShownColumn[] = (
  [
    'state',
    'verdict',
    'source',
    'destination',
    'process',
    'rateTrail',
    'sentRate',
    'receivedRate',
    'sentBytes',
    'receivedBytes',
    'rtt',
    'retransmissions',
    'age',
  ] as const
).map((name) => ({ name, widthPx: undefined }));

export function isColumnName(name: string): name is ColumnName {
  return name === 'rateTrail' || name === 'rttTrail' || isSortColumn(name);
}

/** Whether none was added or taken away: then columns may be left out where there is no room. */
export function areUsual(columns: readonly ShownColumn[]): boolean {
  return (
    columns.length === DEFAULT_COLUMNS.length &&
    DEFAULT_COLUMNS.every((usual) => columns.some(({ name }) => name === usual.name))
  );
}

/** Reads what was stored; undefined where it is no list of columns. */
export function readColumns(stored: unknown): readonly ShownColumn[] | undefined {
  if (!Array.isArray(stored)) {
    return undefined;
  }
  const columns: ShownColumn[] = [];
  for (const entry of stored as unknown[]) {
    const { name, widthPx } = (typeof entry === 'object' && entry !== null ? entry : {}) as Record<
      string,
      unknown
    >;
    if (typeof name === 'string' && isColumnName(name) && columns.every((other) => other.name !== name)) {
      columns.push({ name, widthPx: typeof widthPx === 'number' ? limitWidth(widthPx) : undefined });
    }
  }
  return columns.length > 0 ? columns : undefined;
}

export function limitWidth(widthPx: number): number {
  return Math.round(Math.min(MOST_WIDTH_PX, Math.max(LEAST_WIDTH_PX, widthPx)));
}

/** Shows a column at the end, or no longer; the last one stays. */
export function toggleColumn(columns: readonly ShownColumn[], name: ColumnName): readonly ShownColumn[] {
  const others = columns.filter((column) => column.name !== name);
  if (others.length === columns.length) {
    return [...columns, { name, widthPx: undefined }];
  }
  return others.length > 0 ? others : columns;
}

/** Moves a column to another place. */
export function moveColumn(
  columns: readonly ShownColumn[],
  name: ColumnName,
  to: number,
): readonly ShownColumn[] {
  const column = columns.find((other) => other.name === name);
  if (column === undefined) {
    return columns;
  }
  const others = columns.filter((other) => other !== column);
  const place = Math.max(0, Math.min(others.length, to));
  return [...others.slice(0, place), column, ...others.slice(place)];
}

export function resizeColumn(
  columns: readonly ShownColumn[],
  name: ColumnName,
  widthPx: number | undefined,
): readonly ShownColumn[] {
  return columns.map((column) =>
    column.name === name
      ? { name, widthPx: widthPx === undefined ? undefined : limitWidth(widthPx) }
      : column,
  );
}
