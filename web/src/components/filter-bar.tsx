// Above the table: the filter, how many rows pass it, whether closed ones show, and whether the
// order of the rows moves.
import { useId, type KeyboardEvent, type ReactElement, type RefObject } from 'react';
import { formatCount } from '../domain/format';
import { useChanges } from '../store/notifier';
import { useStores } from '../store/stores';
import { Button } from './button';
import styles from './filter-bar.module.css';
import { Icon } from './icon';

const HELD_WORDS = {
  freeze: { text: 'order frozen', title: 'Rows keep their places until the order is let go' },
  pointer: { text: 'order paused', title: 'Rows keep their places while you point at them' },
};

export function FilterBar({ input }: { input: RefObject<HTMLInputElement | null> }): ReactElement {
  const { live, order } = useStores();
  useChanges(live);
  useChanges(order);
  const closedId = useId();
  const { filter, heldBy } = order;
  const leaveOnEscape = (event: KeyboardEvent<HTMLInputElement>): void => {
    if (event.key === 'Escape') {
      event.preventDefault();
      event.nativeEvent.stopPropagation();
      order.setFilter({ ...filter, text: '' });
      event.currentTarget.blur();
    }
  };
  return (
    <div className={styles.bar} role="search">
      <label className={styles.filter}>
        <Icon name="search" />
        <input
          ref={input}
          type="text"
          aria-label="Filter connections"
          aria-keyshortcuts="/"
          placeholder="Filter by address, port, interface, state"
          spellCheck={false}
          autoComplete="off"
          value={filter.text}
          onKeyDown={leaveOnEscape}
          onChange={(event) => {
            order.setFilter({ ...filter, text: event.currentTarget.value });
          }}
        />
        <kbd aria-hidden="true">/</kbd>
      </label>
      <span className={styles.count} data-testid="row-count">
        {formatCount(order.rows().length)} of {formatCount(live.connections.size)}
      </span>
      <label className={styles.toggle} htmlFor={closedId}>
        <input
          id={closedId}
          type="checkbox"
          checked={filter.showClosed}
          onChange={(event) => {
            order.setFilter({ ...filter, showClosed: event.currentTarget.checked });
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
