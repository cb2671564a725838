// The cursor of the connection table, a row and a column of it, with the keys that move it and those that act on what
// it stands at: select, open, sort, filter by a value or without it, make a column wider or move it.
import { useState, type KeyboardEvent } from 'react';
import { moveColumn, resizeColumn, type ColumnName } from '../domain/column';
import { excluding, narrowed } from '../domain/filter';
import type { ConnectionsPlace } from '../domain/place';
import { nextSort } from '../domain/sort';
import { useStores } from '../store/stores';
import type { Column } from './columns';
import { shownWidthPx } from './sort-header';
import { useKeys } from './use-keys';

/** By one press of a key a column becomes so much wider or narrower. */
const WIDTH_STEP_PX = 12;

interface TableInSight {
  readonly here: ConnectionsPlace;
  readonly columns: readonly Column[];
  readonly count: number;
  /** The place of the topmost row. */
  readonly first: number;
  /** How many rows fit on the screen. */
  readonly page: () => number;
  readonly scrollTo: (position: number) => void;
}

export interface TableCursor {
  readonly row: bigint | undefined;
  readonly column: ColumnName | undefined;
  readonly select: (id: bigint) => void;
  /** Opens the page of the selected connection. */
  readonly open: () => void;
  /** For the keys that move it while the table has the focus. */
  readonly pressKey: (event: KeyboardEvent) => void;
}

export function useTableCursor(sight: TableInSight): TableCursor {
  const { here, columns, count, first, page, scrollTo } = sight;
  const { table, place, order, selection, settings } = useStores();
  const [row, setRow] = useState<bigint>();
  const [name, setName] = useState<ColumnName>();
  const column = columns.find((each) => each.name === name);
  const chosen = settings.settings.columns;
  const at = order.placeOf(row ?? selection.ref?.id) ?? first - 1;

  const select = (id: bigint): void => {
    const { instance } = table;
    if (instance !== undefined) {
      setRow(id);
      const selected = { instance, id };
      // Going back closes the details again.
      if (here.selected === undefined) {
        place.go({ ...here, selected });
      } else {
        place.replace({ ...here, selected });
      }
    }
  };
  const open = (): void => {
    if (here.selected !== undefined) {
      place.go({ view: 'connection', ref: here.selected });
    }
  };
  const moveTo = (position: number): void => {
    const to = Math.max(0, Math.min(count - 1, position));
    scrollTo(to);
    const id = order.at(to);
    if (id !== undefined) {
      setRow(id);
      if (selection.ref !== undefined) {
        select(id);
      }
    }
  };
  const enter = (): void => {
    if (row !== undefined && selection.isSelected(row)) {
      open();
    } else if (row !== undefined) {
      select(row);
    }
  };
  /** To the next column, or the first one. */
  const moveAside = (by: number): void => {
    const from = column === undefined ? -1 : columns.indexOf(column);
    setName(columns[Math.max(0, Math.min(columns.length - 1, from + by))]?.name);
  };
  /** Without a width it is as wide as usual. */
  const resize = (toPx: (widthPx: number) => number | undefined): void => {
    if (column !== undefined) {
      settings.change({
        columns: resizeColumn(chosen, column.name, toPx(shownWidthPx(column.name) ?? column.widthPx)),
      });
    }
  };
  /** Past the next column that is shown. */
  const carry = (by: number): void => {
    const next = column && columns[columns.indexOf(column) + by];
    if (column !== undefined && next !== undefined) {
      const to = chosen.findIndex((each) => each.name === next.name);
      settings.change({ columns: moveColumn(chosen, column.name, to) });
    }
  };
  const filterBy = (combine: typeof narrowed): void => {
    const connection = row === undefined ? undefined : order.row(row)?.connection;
    const filter = connection && column?.filter?.(connection);
    if (filter !== undefined) {
      place.go({ ...here, filter: combine(here.filter, filter) });
    }
  };
  useKeys({
    j: () => {
      moveTo(at + 1);
    },
    k: () => {
      moveTo(at - 1);
    },
    h: () => {
      moveAside(-1);
    },
    l: () => {
      moveAside(1);
    },
    H: () => {
      carry(-1);
    },
    L: () => {
      carry(1);
    },
    '<': () => {
      resize((widthPx) => widthPx - WIDTH_STEP_PX);
    },
    '>': () => {
      resize((widthPx) => widthPx + WIDTH_STEP_PX);
    },
    '0': () => {
      resize(() => undefined);
    },
    s: () => {
      if (column?.sort !== undefined) {
        place.replace({ ...here, sort: nextSort(here.sort, column.sort) });
      }
    },
    '=': () => {
      filterBy(narrowed);
    },
    '!': () => {
      filterBy(excluding);
    },
    Enter: enter,
  });
  const pressKey = (event: KeyboardEvent): void => {
    if (event.target !== event.currentTarget || event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    const moves: Partial<Record<string, () => void>> = {
      ArrowDown: () => {
        moveTo(at + 1);
      },
      ArrowUp: () => {
        moveTo(at - 1);
      },
      PageDown: () => {
        moveTo(at + page());
      },
      PageUp: () => {
        moveTo(at - page());
      },
      Home: () => {
        moveTo(0);
      },
      End: () => {
        moveTo(count - 1);
      },
      ArrowLeft: () => {
        (event.shiftKey ? carry : moveAside)(-1);
      },
      ArrowRight: () => {
        (event.shiftKey ? carry : moveAside)(1);
      },
    };
    const move = moves[event.key];
    if (move !== undefined) {
      event.preventDefault();
      move();
    }
  };
  return { row, column: column?.name, select, open, pressKey };
}
