// The header row of the connection table; a click on a column sorts by it.
import type { ReactElement } from 'react';
import { nextSort, type Sort } from '../domain/sort';
import type { Column } from './columns';
import styles from './sort-header.module.css';

interface SortHeaderProps {
  readonly columns: readonly Column[];
  readonly sort: Sort;
  readonly onSort: (sort: Sort) => void;
}

export function SortHeader({ columns, sort, onSort }: SortHeaderProps): ReactElement {
  return (
    <div role="rowgroup" className={styles.group}>
      <div role="row" className={styles.row} aria-rowindex={1}>
        {columns.map((column) => {
          const sorted = sort.column === column.sort ? sort.direction : undefined;
          return (
            <div
              key={column.sort}
              role="columnheader"
              className={column.numeric ? styles.number : styles.cell}
              aria-sort={sorted ?? 'none'}
            >
              <button
                type="button"
                className={styles.button}
                title={column.title}
                onClick={() => {
                  onSort(nextSort(sort, column.sort));
                }}
              >
                {column.label}
                <span className={styles.arrow} aria-hidden="true">
                  {sorted === 'ascending' ? '▲' : sorted === 'descending' ? '▼' : ''}
                </span>
              </button>
            </div>
          );
        })}
      </div>
    </div>
  );
}
