// The connections that pass the filter, as a grid of which only the visible rows exist. The order comes
// from the order store; arrow keys move a cursor, Enter or a click selects, Enter on the selected one opens
// its page.
import { useVirtualizer } from '@tanstack/react-virtual';
import { useRef, useState, type KeyboardEvent, type MouseEvent, type ReactElement } from 'react';
import type { ConnectionsPlace } from '../domain/place';
import { useChanges } from '../store/notifier';
import { useStores } from '../store/stores';
import { columnsFor, tracks } from './columns';
import { ConnectionRow, rowElementId } from './connection-row';
import styles from './connection-table.module.css';
import { EmptyTable } from './empty-table';
import { SortHeader } from './sort-header';
import { useElementWidth } from './use-element-size';
import { useKeys } from './use-keys';

const ROW_HEIGHT_PX = 28;
const HEADER_HEIGHT_PX = 30;

interface ConnectionTableProps {
  readonly here: ConnectionsPlace;
}

export function ConnectionTable({ here }: ConnectionTableProps): ReactElement {
  const { link, table, place, order, selection, clock, status } = useStores();
  useChanges(table);
  useChanges(order);
  useChanges(selection);
  useChanges(clock);
  const scroller = useRef<HTMLDivElement>(null);
  const columns = columnsFor(useElementWidth(scroller));
  const [cursor, setCursor] = useState<bigint>();
  const { rows } = order;
  const virtualizer = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_HEIGHT_PX,
    scrollMargin: HEADER_HEIGHT_PX,
    scrollPaddingStart: HEADER_HEIGHT_PX,
    overscan: 8,
  });

  const select = (id: bigint): void => {
    const { instance } = table;
    if (instance !== undefined) {
      setCursor(id);
      const selected = { instance, id };
      // Going back closes the details again.
      if (here.selected === undefined) {
        place.go({ ...here, selected });
      } else {
        place.replace({ ...here, selected });
      }
    }
  };
  const moveTo = (position: number): void => {
    const index = Math.max(0, Math.min(rows.length - 1, position));
    const id = rows[index];
    if (id !== undefined) {
      virtualizer.scrollToIndex(index);
      setCursor(id);
      if (selection.ref !== undefined) {
        select(id);
      }
    }
  };
  const open = (): void => {
    if (here.selected !== undefined) {
      place.go({ view: 'connection', ref: here.selected });
    }
  };
  const enter = (): void => {
    if (cursor !== undefined && selection.isSelected(cursor)) {
      open();
    } else if (cursor !== undefined) {
      select(cursor);
    }
  };
  const at = cursor === undefined ? -1 : rows.indexOf(cursor);
  useKeys({
    j: () => {
      moveTo(at + 1);
    },
    k: () => {
      moveTo(at - 1);
    },
    Enter: enter,
  });
  const pressKey = (event: KeyboardEvent): void => {
    if (event.target !== event.currentTarget || event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? 0) / ROW_HEIGHT_PX) - 2);
    const moves: Partial<Record<string, number>> = {
      ArrowDown: at + 1,
      ArrowUp: at - 1,
      PageDown: at + page,
      PageUp: at - page,
      Home: 0,
      End: rows.length - 1,
    };
    const position = moves[event.key];
    if (position !== undefined) {
      event.preventDefault();
      moveTo(position);
    }
  };
  const clickRow = (event: MouseEvent): void => {
    const row = event.target instanceof Element ? event.target.closest('[data-connection-id]') : null;
    const id = row?.getAttribute('data-connection-id');
    if (id !== null && id !== undefined) {
      select(BigInt(id));
    }
  };

  const daemonNowMs = status.ageAtMs(link.daemonNowMs(clock.nowMs));
  const items = virtualizer.getVirtualItems();
  const cursorShown = cursor !== undefined && items.some(({ index }) => rows[index] === cursor);
  return (
    <div
      ref={scroller}
      className={styles.table}
      role="grid"
      tabIndex={0}
      aria-label="Connections"
      aria-rowcount={rows.length + 1}
      aria-activedescendant={cursorShown ? rowElementId(cursor) : undefined}
      style={{ '--columns': tracks(columns) }}
      onKeyDown={pressKey}
    >
      <SortHeader
        columns={columns}
        sort={order.sort}
        onSort={(sort) => {
          place.replace({ ...here, sort });
        }}
      />
      {rows.length === 0 ? (
        <EmptyTable />
      ) : (
        <div
          className={styles.body}
          role="rowgroup"
          style={{ height: `${virtualizer.getTotalSize()}px` }}
          onClick={clickRow}
          onDoubleClick={open}
          onPointerMove={() => {
            order.pointer(true);
          }}
          onPointerLeave={() => {
            order.pointer(false);
          }}
        >
          {items.map(({ index, start }) => {
            const id = rows[index];
            const row = id === undefined ? undefined : order.row(id);
            return row === undefined ? null : (
              <ConnectionRow
                key={String(row.connection.id)}
                connection={row.connection}
                listed={row.listed}
                selected={selection.isSelected(row.connection.id)}
                atCursor={row.connection.id === cursor}
                columns={columns}
                daemonNowMs={daemonNowMs}
                position={index + 1}
                topPx={start - HEADER_HEIGHT_PX}
              />
            );
          })}
        </div>
      )}
    </div>
  );
}
