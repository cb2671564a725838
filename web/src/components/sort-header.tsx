// The header row of the connection table: a click on a column sorts by it, its right edge makes it wider or
// narrower. Keys do that at the table's cursor, so nothing here takes the focus.
import { useRef, type PointerEvent, type ReactElement } from 'react';
import type { ColumnName } from '../domain/column';
import { nextSort, type Sort } from '../domain/sort';
import type { Column } from './columns';
import styles from './sort-header.module.css';

interface SortHeaderProps {
  readonly columns: readonly Column[];
  readonly sort: Sort;
  readonly atCursor: ColumnName | undefined;
  readonly onSort: (sort: Sort) => void;
  /** Without a width the column is as wide as it is made. */
  readonly onResize: (name: ColumnName, widthPx: number | undefined) => void;
}

export function SortHeader({ columns, sort, atCursor, onSort, onResize }: SortHeaderProps): ReactElement {
  return (
    <div role="rowgroup" className={styles.group}>
      <div role="row" className={styles.row} aria-rowindex={1}>
        {columns.map((column) => {
          const { sort: by } = column;
          const sorted = by !== undefined && sort.column === by ? sort.direction : undefined;
          return (
            <div
              key={column.name}
              role="columnheader"
              data-column={column.name}
              data-cursor={column.name === atCursor}
              className={column.numeric === true ? styles.number : styles.cell}
              aria-sort={by === undefined ? undefined : (sorted ?? 'none')}
            >
              {by === undefined ? (
                <span className={styles.label} title={column.title}>
                  {column.label}
                </span>
              ) : (
                <button
                  type="button"
                  tabIndex={-1}
                  className={styles.button}
                  title={column.title}
                  onClick={() => {
                    onSort(nextSort(sort, by));
                  }}
                >
                  {column.label}
                  <span className={styles.arrow} aria-hidden="true">
                    {sorted === 'ascending' ? '▲' : sorted === 'descending' ? '▼' : ''}
                  </span>
                </button>
              )}
              <ResizeHandle column={column} onResize={onResize} />
            </div>
          );
        })}
      </div>
    </div>
  );
}

/** How wide a column stands on the screen; undefined where it is not shown. */
export function shownWidthPx(name: ColumnName): number | undefined {
  return document.querySelector(`[role=columnheader][data-column=${name}]`)?.clientWidth;
}

function ResizeHandle({
  column,
  onResize,
}: {
  column: Column;
  onResize: (name: ColumnName, widthPx: number | undefined) => void;
}): ReactElement {
  const drag = useRef<{ fromX: number; fromWidthPx: number }>(undefined);
  const widthOf = (handle: Element): number => handle.parentElement?.clientWidth ?? column.widthPx;
  const grab = (event: PointerEvent): void => {
    event.currentTarget.setPointerCapture(event.pointerId);
    drag.current = { fromX: event.clientX, fromWidthPx: widthOf(event.currentTarget) };
  };
  const pull = (event: PointerEvent): void => {
    if (drag.current !== undefined) {
      onResize(column.name, drag.current.fromWidthPx + event.clientX - drag.current.fromX);
    }
  };
  return (
    <div
      className={styles.handle}
      aria-hidden="true"
      title={`Width of ${column.label}; twice for the usual one`}
      onPointerDown={grab}
      onPointerMove={pull}
      onPointerUp={() => {
        drag.current = undefined;
      }}
      onDoubleClick={() => {
        onResize(column.name, undefined);
      }}
    />
  );
}
