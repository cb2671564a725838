// Above the table: the filter, how many rows pass it, whether ended ones show, and whether the order of the
// rows moves.
import { useId, type ReactElement, type RefObject } from 'react';
import { problemOf, type FilterProblem } from '../domain/filter';
import { formatCount } from '../domain/format';
import type { ConnectionsPlace } from '../domain/place';
import { useChanges } from '../store/notifier';
import { useStores, type Stores } from '../store/stores';
import { Button } from './button';
import styles from './filter-bar.module.css';
import { FilterField } from './filter-field';

const HELD_WORDS = {
  freeze: { text: 'order frozen', title: 'Rows keep their places until the order is let go' },
  pointer: { text: 'order paused', title: 'Rows keep their places while you point at them' },
};

interface FilterBarProps {
  readonly input: RefObject<HTMLInputElement | null>;
  readonly here: ConnectionsPlace;
}

export function FilterBar({ input, here }: FilterBarProps): ReactElement {
  const stores = useStores();
  const { table, order, place, status } = stores;
  useChanges(table);
  useChanges(order);
  useChanges(status);
  const closedId = useId();
  const { heldBy } = order;
  return (
    <div className={styles.bar} role="search">
      <FilterField
        input={input}
        label="Filter connections"
        placeholder="Filter: port 443 and rtt > 50ms"
        value={here.filter}
        problem={problem(stores, here)}
        onChange={(filter) => {
          place.replace({ ...here, filter });
        }}
      />
      <span className={styles.count} data-testid="row-count">
        {countWords(stores, here)}
      </span>
      <label className={styles.toggle} htmlFor={closedId}>
        <input
          id={closedId}
          type="checkbox"
          checked={here.showClosed}
          onChange={(event) => {
            place.replace({ ...here, showClosed: event.currentTarget.checked });
          }}
        />
        Show closed
      </label>
      <span
        className={styles.held}
        data-testid="order-held"
        title={heldBy === undefined ? undefined : HELD_WORDS[heldBy].title}
      >
        {heldBy !== undefined && HELD_WORDS[heldBy].text}
      </span>
      <Button
        icon="snow"
        shortcut="f"
        pressed={order.frozen}
        title="Keep every row where it is; values still update"
        onClick={() => {
          order.setFrozen(!order.frozen);
        }}
      >
        Freeze order
      </Button>
    </div>
  );
}

function problem({ table }: Stores, here: ConnectionsPlace): FilterProblem | undefined {
  const { link } = table;
  return link.kind === 'refused' && link.failure.kind === 'invalid'
    ? problemOf(link.failure.message, here.filter, here.showClosed)
    : undefined;
}

/** "42 connections", or the part of them that is shown. */
function countWords({ table, order, status }: Stores, here: ConnectionsPlace): string {
  const shown = order.rows.length;
  const limit = table.topic?.limit ?? 0;
  if (table.link.kind === 'refused') {
    return 'filter not understood';
  }
  if (!table.settled || shown < limit) {
    return `${formatCount(shown)} ${shown === 1 ? 'connection' : 'connections'}`;
  }
  const { listed, open } = status.status?.connections ?? {};
  const all = here.filter.trim() !== '' ? undefined : here.showClosed ? listed : open;
  return all === undefined
    ? `the first ${formatCount(shown)}`
    : `the first ${formatCount(shown)} of ${formatCount(all)}`;
}
