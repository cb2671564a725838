// The connections that pass the filter, as a grid as long as they are many, of which only the rows on the
// screen exist and only those around them are asked for. A click selects, a double one opens the page; keys move a
// cursor and act on what it is at.
import { useVirtualizer } from '@tanstack/react-virtual';
import {
  useEffect,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
  type MouseEvent,
  type ReactElement,
} from 'react';
import { areUsual, resizeColumn, type ColumnName } from '../domain/column';
import { narrowed } from '../domain/filter';
import type { ConnectionsPlace } from '../domain/place';
import { useChanges } from '../store/notifier';
import { useStores } from '../store/stores';
import { columnsFor, neededPx, tracks } from './columns';
import { atCursorId, ConnectionRow, EmptyRow } from './connection-row';
import styles from './connection-table.module.css';
import { EmptyTable } from './empty-table';
import { SortHeader } from './sort-header';
import { useElementWidth } from './use-element-size';
import { useTableCursor } from './use-table-cursor';

const ROW_HEIGHT_PX = 28;
const HEADER_HEIGHT_PX = 30;

export function ConnectionTable({ here }: { here: ConnectionsPlace }): ReactElement {
  const { table, place, order, viewport, selection, settings } = useStores();
  useChanges(table);
  useChanges(order);
  useChanges(selection);
  useChanges(settings);
  const scroller = useRef<HTMLDivElement>(null);
  const chosen = settings.settings.columns;
  const widthPx = useElementWidth(scroller);
  // Rows render again when their columns are others, so these stay the same while nothing changes.
  const columns = useMemo(() => columnsFor(chosen, areUsual(chosen), widthPx), [chosen, widthPx]);
  const [pointedAt, setPointedAt] = useState<string>();
  const count = Math.max(order.total, order.offset + order.rows.length);
  const virtualizer = useVirtualizer({
    count,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_HEIGHT_PX,
    scrollMargin: HEADER_HEIGHT_PX,
    scrollPaddingStart: HEADER_HEIGHT_PX,
    overscan: 8,
  });
  const items = virtualizer.getVirtualItems();
  const [first, last] = [items[0]?.index ?? 0, items.at(-1)?.index ?? 0];
  useEffect(() => {
    viewport.show(first, last);
  }, [viewport, first, last]);
  useStayInSight(scroller, selection.ref && order.placeOf(selection.ref.id), order.rows);
  useFromTheTop(scroller, here);

  const cursor = useTableCursor({
    here,
    columns,
    count,
    first,
    page: () => Math.max(1, Math.floor((scroller.current?.clientHeight ?? 0) / ROW_HEIGHT_PX) - 2),
    scrollTo: (position) => {
      virtualizer.scrollToIndex(position);
    },
  });
  useColumnInSight(scroller, cursor.column);
  const clickRow = (event: MouseEvent): void => {
    if (!(event.target instanceof Element)) {
      return;
    }
    const filter = event.target.closest('[data-filter]')?.getAttribute('data-filter');
    const id = idOfRow(event.target);
    if (filter !== null && filter !== undefined) {
      place.go({ ...here, filter: narrowed(here.filter, filter) });
    } else if (id !== undefined) {
      cursor.select(BigInt(id));
    }
  };

  const fits = virtualizer.getTotalSize() + HEADER_HEIGHT_PX <= (virtualizer.scrollRect?.height ?? 0);
  const cursorShown = items.some(({ index }) => cursor.row !== undefined && order.at(index) === cursor.row);
  return (
    <div
      ref={scroller}
      className={styles.table}
      role="grid"
      tabIndex={0}
      aria-label="Connections"
      aria-rowcount={count + 1}
      data-fits={fits}
      aria-description="Arrow keys move, Enter opens, = filters by the cell, s sorts by it; ? lists all keys"
      aria-activedescendant={
        cursorShown && cursor.row !== undefined ? atCursorId(cursor.row, cursor.column) : undefined
      }
      style={{ '--columns': tracks(columns), '--least-width': `${neededPx(columns)}px` }}
      onKeyDown={cursor.pressKey}
    >
      <SortHeader
        columns={columns}
        sort={here.sort}
        atCursor={cursor.column}
        onSort={(sort) => {
          place.replace({ ...here, sort });
        }}
        onResize={(name, widthPx) => {
          settings.change({ columns: resizeColumn(chosen, name, widthPx) });
        }}
      />
      {count === 0 ? (
        <EmptyTable />
      ) : (
        <div
          className={styles.body}
          role="rowgroup"
          style={{ height: `${virtualizer.getTotalSize()}px` }}
          onClick={clickRow}
          onDoubleClick={cursor.open}
          onPointerOver={({ target }) => {
            setPointedAt(idOfRow(target));
          }}
          onPointerMove={() => {
            order.pointer(true);
          }}
          onPointerLeave={() => {
            setPointedAt(undefined);
            order.pointer(false);
          }}
        >
          {items.map(({ index, start }) => {
            const id = order.at(index);
            const row = id === undefined ? undefined : order.row(id);
            const topPx = start - HEADER_HEIGHT_PX;
            return row === undefined ? (
              <EmptyRow key={`place ${index}`} topPx={topPx} />
            ) : (
              <ConnectionRow
                key={String(row.connection.id)}
                connection={row.connection}
                listed={row.listed}
                selected={selection.isSelected(row.connection.id)}
                atCursor={row.connection.id === cursor.row}
                columnAtCursor={row.connection.id === cursor.row ? cursor.column : undefined}
                pointedAt={String(row.connection.id) === pointedAt}
                columns={columns}
                position={index + 1}
                topPx={topPx}
              />
            );
          })}
        </div>
      )}
    </div>
  );
}

/** The connection whose row this is a part of. */
function idOfRow(target: EventTarget): string | undefined {
  const row = target instanceof Element ? target.closest('[data-connection-id]') : null;
  return row?.getAttribute('data-connection-id') ?? undefined;
}

/** Where the order settles and the selected row moves, the table moves with it. */
function useStayInSight(
  scroller: { readonly current: HTMLDivElement | null },
  placeOfSelected: number | undefined,
  rows: readonly bigint[],
): void {
  const before = useRef(placeOfSelected);
  useLayoutEffect(() => {
    const element = scroller.current;
    const [from, to] = [before.current, placeOfSelected];
    before.current = placeOfSelected;
    if (element === null || from === undefined || to === undefined || from === to) {
      return;
    }
    const topPx = from * ROW_HEIGHT_PX - element.scrollTop;
    const wasSeen = topPx > -ROW_HEIGHT_PX && topPx < element.clientHeight - HEADER_HEIGHT_PX;
    // At its top a table shows what comes first, and follows nothing.
    if (wasSeen && (element.scrollTop > 0 || to * ROW_HEIGHT_PX > element.clientHeight)) {
      element.scrollBy({ top: (to - from) * ROW_HEIGHT_PX });
    }
  }, [scroller, placeOfSelected, rows]);
}

/** Where not all columns fit, the table moves aside with the cursor. */
function useColumnInSight(
  scroller: { readonly current: HTMLDivElement | null },
  column: ColumnName | undefined,
): void {
  useEffect(() => {
    const header = column && scroller.current?.querySelector(`[role=columnheader][data-column=${column}]`);
    header?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }, [scroller, column]);
}

/** Another filter or order begins at the top. */
function useFromTheTop(
  scroller: { readonly current: HTMLDivElement | null },
  { filter, showClosed, sort }: ConnectionsPlace,
): void {
  useEffect(() => {
    scroller.current?.scrollTo({ top: 0 });
  }, [scroller, filter, showClosed, sort.column, sort.direction]);
}
