// One row of the connection table. It renders again only when its connection or the clock changes.
import { memo, type ReactElement } from 'react';
import { isClosed, type Connection } from '../domain/connection';
import { formatEndpoint } from '../domain/format';
import type { Column } from './columns';
import styles from './connection-row.module.css';

interface ConnectionRowProps {
  readonly connection: Connection;
  /** False for a row that is only kept while the order is held. */
  readonly listed: boolean;
  readonly selected: boolean;
  readonly atCursor: boolean;
  readonly columns: readonly Column[];
  readonly daemonNowMs: number;
  /** Counted from 1, below the header row. */
  readonly position: number;
  readonly topPx: number;
}

export function rowElementId(id: bigint): string {
  return `connection-${id}`;
}

export const ConnectionRow = memo(function ConnectionRow(props: ConnectionRowProps): ReactElement {
  const { connection, columns, daemonNowMs } = props;
  return (
    <div
      role="row"
      id={rowElementId(connection.id)}
      className={styles.row}
      data-testid="connection-row"
      data-connection-id={String(connection.id)}
      data-closed={isClosed(connection) || !props.listed}
      data-cursor={props.atCursor}
      aria-selected={props.selected}
      aria-rowindex={props.position + 1}
      aria-label={`${formatEndpoint(connection.source)} to ${formatEndpoint(connection.destination)}`}
      title={props.listed ? undefined : 'No longer listed; the row goes when the order moves on'}
      style={{ transform: `translateY(${props.topPx}px)` }}
    >
      {columns.map((column) => (
        <div
          key={column.sort}
          role="gridcell"
          className={column.numeric ? styles.number : styles.cell}
          data-column={column.sort}
        >
          {column.cell(connection, daemonNowMs)}
        </div>
      ))}
    </div>
  );
});
