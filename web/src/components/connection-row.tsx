// One row of the connection table. It renders again only when its connection changes, or when it is pointed at or the
// cursor comes: only then it has the buttons that filter by its values.
import { memo, type ReactElement, type ReactNode } from 'react';
import type { ColumnName } from '../domain/column';
import { isClosed, type Connection } from '../domain/connection';
import { formatEndpoint } from '../domain/format';
import type { Column } from './columns';
import styles from './connection-row.module.css';
import { Icon } from './icon';

interface ConnectionRowProps {
  readonly connection: Connection;
  /** False for a row that is only kept while the order is held. */
  readonly listed: boolean;
  readonly selected: boolean;
  readonly atCursor: boolean;
  readonly columnAtCursor: ColumnName | undefined;
  readonly pointedAt: boolean;
  readonly columns: readonly Column[];
  /** Counted from 1, below the header row. */
  readonly position: number;
  readonly topPx: number;
}

/** The element that the cursor is at: a row, or a cell of it. */
export function atCursorId(id: bigint, column: ColumnName | undefined): string {
  return column === undefined ? `connection-${id}` : `connection-${id}-${column}`;
}

export const ConnectionRow = memo(function ConnectionRow(props: ConnectionRowProps): ReactElement {
  const { connection, columns, pointedAt, columnAtCursor } = props;
  return (
    <div
      role="row"
      id={atCursorId(connection.id, undefined)}
      className={styles.row}
      data-testid="connection-row"
      data-connection-id={String(connection.id)}
      data-closed={isClosed(connection) || !props.listed}
      data-cursor={props.atCursor}
      aria-selected={props.selected}
      aria-rowindex={props.position + 1}
      aria-label={`${formatEndpoint(connection.source)} to ${formatEndpoint(connection.destination)}`}
      title={props.listed ? undefined : 'No longer listed; the row goes when the order moves on'}
      style={{ top: `${props.topPx}px` }}
    >
      {columns.map((column) => {
        const atCursor = column.name === columnAtCursor;
        return (
          <Cell
            key={column.name}
            column={column}
            id={atCursor ? atCursorId(connection.id, column.name) : undefined}
            filter={pointedAt || atCursor ? column.filter?.(connection) : undefined}
          >
            {column.cell(connection)}
          </Cell>
        );
      })}
    </div>
  );
});

function Cell({
  column,
  id,
  filter,
  children,
}: {
  column: Column;
  /** Given to the cell at the cursor. */
  id: string | undefined;
  filter: string | undefined;
  children: ReactNode;
}): ReactElement {
  return (
    <div
      role="gridcell"
      id={id}
      data-cursor={id !== undefined}
      className={column.numeric === true ? styles.number : styles.cell}
      data-column={column.name}
    >
      {children}
      {filter !== undefined && (
        <button
          type="button"
          className={styles.filter}
          data-filter={filter}
          tabIndex={-1}
          aria-label={`Filter by ${filter}`}
          title={`Filter: ${filter} (=)`}
        >
          <Icon name="search" />
        </button>
      )}
    </div>
  );
}

/** A place in the table whose row is not at hand. */
export function EmptyRow({ topPx }: { topPx: number }): ReactElement {
  return (
    <div className={styles.row} data-testid="empty-row" aria-hidden="true" style={{ top: `${topPx}px` }}>
      <span className={styles.blank} />
    </div>
  );
}
