// Above the table: the filter, how many rows pass it, whether ended ones show, and whether the order of the
// rows moves.
import { useId, type ReactElement, type RefObject } from 'react';
import { problemOf, type FilterProblem } from '../domain/filter';
import { formatPlural } from '../domain/format';
import type { ConnectionsPlace } from '../domain/place';
import { useChanges } from '../store/notifier';
import { withRecent } from '../store/settings';
import { useStores, type Stores } from '../store/stores';
import { Button } from './button';
import { ColumnsMenu } from './columns-menu';
import styles from './filter-bar.module.css';
import { FilterField } from './filter-field';
import { CONNECTION_FIELDS } from './filter-page';

/** Filters used lately that are offered. */
const RECENT_SHOWN = 8;
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
  const { table, order, place, settings } = stores;
  useChanges(table);
  useChanges(order);
  useChanges(settings);
  const closedId = useId();
  const { heldBy } = order;
  const { savedFilters, recentFilters } = settings.settings;
  const text = here.filter.trim();
  return (
    <div className={styles.bar} role="search">
      <FilterField
        input={input}
        label="Filter connections"
        placeholder="Filter: port 443 and rtt > 50ms"
        value={here.filter}
        problem={problem(stores, here)}
        fields={CONNECTION_FIELDS}
        known={[
          ...savedFilters.map((text) => ({ text, hint: 'kept' })),
          ...recentFilters
            .filter((text) => !savedFilters.includes(text))
            .slice(0, RECENT_SHOWN)
            .map((text) => ({ text, hint: 'used lately' })),
        ]}
        kept={savedFilters.includes(text)}
        onKeep={() => {
          const others = savedFilters.filter((filter) => filter !== text);
          settings.change({ savedFilters: others.length < savedFilters.length ? others : [text, ...others] });
        }}
        onUse={() => {
          if (text !== '' && table.link.kind === 'live' && recentFilters[0] !== text) {
            settings.change({ recentFilters: withRecent(recentFilters, text) });
          }
        }}
        onChange={(filter) => {
          place.replace({ ...here, filter });
        }}
      />
      <span className={styles.count} data-testid="row-count">
        {countWords(stores)}
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
        Ended ones too
      </label>
      <span
        className={styles.held}
        data-testid="order-held"
        title={heldBy === undefined ? undefined : HELD_WORDS[heldBy].title}
      >
        {heldBy !== undefined && HELD_WORDS[heldBy].text}
      </span>
      <ColumnsMenu />
      <Button
        icon="snow"
        shortcut="f"
        pressed={order.frozen}
        title="Freeze the order: every row stays where it is, values still update"
        onClick={() => {
          order.setFrozen(!order.frozen);
        }}
      >
        Freeze
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

/** How many connections pass the filter. */
function countWords({ table, order }: Stores): string {
  return table.link.kind === 'refused'
    ? 'filter not understood'
    : formatPlural(Math.max(order.total, order.rows.length), 'connection');
}
