// The table on the screen: rows, sorting, selecting by mouse and keys, and what it says when empty.
import { act, type ReactElement } from 'react';
import { describe, expect, it } from 'vitest';
import type { Connection } from '../domain/connection';
import { CONNECTIONS } from '../domain/place';
import { useChanges } from '../store/notifier';
import { useStores, type Stores } from '../store/stores';
import { TestFeeds, testStores } from '../test/feeds';
import { connection, half, status } from '../test/fixtures';
import { render } from '../test/render';
import { ConnectionTable } from './connection-table';

let feeds: TestFeeds;

function storesWith(connections: readonly Connection[]): Stores {
  feeds = new TestFeeds();
  const stores = testStores(feeds);
  stores.order.start();
  stores.place.go(CONNECTIONS);
  stores.place.notifier.subscribe(() => {
    const { current } = stores.place;
    if (current.view === 'connections') {
      stores.selection.select(current.selected);
    }
  });
  stores.table.watch({ kind: 'connections', filter: '', orderBy: 'rate desc', offset: 0, limit: 500 });
  feeds.snapshot(connections);
  feeds.tell('connections', { kind: 'link', link: { kind: 'live', sinceMs: 0 } });
  return stores;
}

/** The table where the user is. */
function Table(): ReactElement | null {
  const { place } = useStores();
  useChanges(place);
  return place.current.view === 'connections' ? <ConnectionTable here={place.current} /> : null;
}

const rowsOf = (container: HTMLElement): HTMLElement[] => [
  ...container.querySelectorAll<HTMLElement>('[data-testid="connection-row"]'),
];

const press = (container: HTMLElement, key: string): void => {
  const grid = container.querySelector('[role="grid"]');
  act(() => {
    grid?.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
  });
};

describe('ConnectionTable', () => {
  it('shows endpoints as address:port and a dash for what is not measured', () => {
    const source = { address: '2001:db8::1', port: 50_000 };
    const { container } = render(<Table />, storesWith([connection(1, { source })]));
    const text = rowsOf(container)[0]?.textContent;
    expect(text).toContain('[2001:db8::1]:50000');
    expect(text).toContain('10.0.0.2:443');
    expect(text).toContain('—');
  });

  it('renders only the rows that can be seen', () => {
    const many = Array.from({ length: 5000 }, (_, index) => connection(index + 1));
    const { container } = render(<Table />, storesWith(many));
    expect(rowsOf(container).length).toBeLessThan(100);
    expect(container.querySelector('[role="grid"]')?.getAttribute('aria-rowcount')).toBe('5001');
  });

  it('selects a row by a click', () => {
    const { container, stores } = render(<Table />, storesWith([connection(1), connection(2)]));
    act(() => {
      rowsOf(container)[1]?.click();
    });
    expect(stores.selection.ref).toEqual({ instance: 1n, id: 2n });
    expect(rowsOf(container)[1]?.getAttribute('aria-selected')).toBe('true');
  });

  it('offers a filter by each value of the row that is pointed at, and of no other', () => {
    const { container, stores } = render(<Table />, storesWith([connection(1), connection(2)]));
    act(() => {
      rowsOf(container)[1]?.dispatchEvent(new PointerEvent('pointerover', { bubbles: true }));
    });
    expect(rowsOf(container).map((row) => row.querySelectorAll('[data-filter]').length > 0)).toEqual([
      false,
      true,
    ]);
    act(() => {
      rowsOf(container)[1]?.querySelector<HTMLButtonElement>('[data-filter^="source.host"]')?.click();
    });
    expect(stores.place.connections.filter).toBe('source.host == 10.0.0.1');
    expect(stores.selection.ref).toBeUndefined();
  });

  it('moves by arrow keys and selects by Enter, then the selection moves along', () => {
    const { container, stores } = render(
      <Table />,
      storesWith([connection(1), connection(2), connection(3)]),
    );
    press(container, 'ArrowDown');
    press(container, 'ArrowDown');
    expect(stores.selection.ref).toBeUndefined();
    press(container, 'Enter');
    expect(stores.selection.ref?.id).toBe(2n);
    press(container, 'ArrowDown');
    expect(stores.selection.ref?.id).toBe(3n);
    press(container, 'Home');
    expect(stores.selection.ref?.id).toBe(1n);
  });

  it('sorts by a click on a header and says so', () => {
    const rows = [1, 2].map((id) => connection(id, { sent: half({ payloadBytes: 10 - id }) }));
    const { container } = render(<Table />, storesWith(rows));
    const header = [...container.querySelectorAll<HTMLElement>('[role="columnheader"]')].find(
      (cell) => cell.textContent === 'Sent/s',
    );
    act(() => {
      header?.querySelector('button')?.click();
    });
    expect(header?.getAttribute('aria-sort')).toBe('descending');
  });

  it('keeps the selection when the connection changes', async () => {
    const { container } = render(<Table />, storesWith([connection(1)]));
    act(() => {
      rowsOf(container)[0]?.click();
    });
    await act(async () => {
      feeds.changes([connection(1, { state: 'CLOSED', closedAtMs: 1 })]);
      await new Promise((resolve) => requestAnimationFrame(resolve));
    });
    expect(rowsOf(container)[0]?.dataset).toMatchObject({ closed: 'true' });
    expect(rowsOf(container)[0]?.getAttribute('aria-selected')).toBe('true');
  });

  it('says what it waits for while there is nothing', () => {
    const stores = storesWith([]);
    stores.status.take({
      kind: 'status',
      status: status({
        interfaces: [
          { name: 'lo', hook: 'tcx', ingressHook: 'none', error: '' },
          { name: 'eth0', hook: 'tcx', ingressHook: 'none', error: '' },
          { name: 'wg0', hook: 'none', ingressHook: 'none', error: 'permission denied' },
        ],
      }),
      atMs: 0,
      sentAtMs: undefined,
    });
    const { container } = render(<Table />, stores);
    expect(container.textContent).toContain('Waiting for the first packet on lo, eth0.');
  });

  it('says when the filter lets nothing through', () => {
    const stores = storesWith([]);
    const { connections } = status();
    stores.status.take({
      kind: 'status',
      status: status({ connections: { ...connections, listed: 1 } }),
      atMs: 0,
      sentAtMs: undefined,
    });
    stores.place.go({ ...CONNECTIONS, filter: 'port 9' });
    const { container } = render(<Table />, stores);
    expect(container.textContent).toContain('None of the open connections passes the filter “port 9”.');
  });

  it('offers the ended ones where nothing is open', () => {
    const stores = storesWith([]);
    const { connections } = status();
    stores.status.take({
      kind: 'status',
      status: status({ connections: { ...connections, listed: 3 } }),
      atMs: 0,
      sentAtMs: undefined,
    });
    const { container } = render(<Table />, stores);
    expect(container.textContent).toContain('No connection is open; 3 ended ones are listed.');
    act(() => {
      container.querySelector<HTMLButtonElement>('[data-testid="empty-table"] button')?.click();
    });
    expect(stores.place.connections.showClosed).toBe(true);
  });

  it('moves by j and k wherever the focus is, and opens the page of the selected row by Enter', () => {
    const { stores } = render(<Table />, storesWith([connection(1), connection(2), connection(3)]));
    const key = (name: string): void => {
      act(() => {
        document.body.dispatchEvent(new KeyboardEvent('keydown', { key: name, bubbles: true }));
      });
    };
    for (const name of ['j', 'j', 'k', 'Enter']) {
      key(name);
    }
    expect(stores.selection.ref?.id).toBe(1n);
    key('Enter');
    expect(stores.place.current).toEqual({ view: 'connection', ref: { instance: 1n, id: 1n } });
  });

  it('filters by the cell at the cursor, or without its value, and sorts, widens and moves its column', () => {
    const { container, stores } = render(<Table />, storesWith([connection(1), connection(2)]));
    const headings = (): (string | null)[] =>
      [...container.querySelectorAll('[role="columnheader"]')].map(({ textContent }) => textContent);
    for (const key of ['ArrowDown', 'ArrowRight', 'ArrowRight', '=']) {
      press(container, key);
    }
    expect(stores.place.connections.filter).toBe('source.host == 10.0.0.1');
    press(container, '!');
    expect(stores.place.connections.filter).toBe('source.host == 10.0.0.1 and not source.host == 10.0.0.1');
    press(container, 's');
    expect(stores.place.connections.sort).toEqual({ column: 'source', direction: 'ascending' });
    press(container, '>');
    expect(stores.settings.settings.columns[2]).toEqual({ name: 'source', widthPx: 800 });
    press(container, 'H');
    expect(headings().slice(0, 2)).toEqual(['Source▲', 'Verdict']);
  });
});
