// The header row of the connection table: a click on a column sorts by it, its right edge makes it wider or
// narrower.
import { useRef, type KeyboardEvent, type PointerEvent, type ReactElement } from 'react';
import type { ColumnName } from '../domain/column';
import { nextSort, type Sort } from '../domain/sort';
import type { Column } from './columns';
import styles from './sort-header.module.css';

const KEY_STEP_PX = 12;

interface SortHeaderProps {
  readonly columns: readonly Column[];
  readonly sort: Sort;
  readonly onSort: (sort: Sort) => void;
  /** Without a width the column is as wide as it is made. */
  readonly onResize: (name: ColumnName, widthPx: number | undefined) => void;
}

export function SortHeader({ columns, sort, onSort, onResize }: SortHeaderProps): ReactElement {
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
  const pressKey = (event: KeyboardEvent): void => {
    const step = { ArrowLeft: -KEY_STEP_PX, ArrowRight: KEY_STEP_PX }[event.key];
    if (step !== undefined) {
      event.preventDefault();
      event.stopPropagation();
      onResize(column.name, widthOf(event.currentTarget) + step);
    }
  };
  return (
    <div
      className={styles.handle}
      role="separator"
      tabIndex={-1}
      aria-label={`Width of ${column.label}`}
      aria-orientation="vertical"
      aria-valuenow={column.widthPx}
      onPointerDown={grab}
      onPointerMove={pull}
      onPointerUp={() => {
        drag.current = undefined;
      }}
      onDoubleClick={() => {
        onResize(column.name, undefined);
      }}
      onKeyDown={pressKey}
    />
  );
}
