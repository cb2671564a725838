// What the table says when it has no rows: why, what it is waiting for, and what there is instead.
import type { ReactElement } from 'react';
import { formatCount, formatPlural } from '../domain/format';
import { useChanges } from '../store/notifier';
import { useStores, type Stores } from '../store/stores';
import { Button } from './button';
import styles from './empty-table.module.css';

export function EmptyTable(): ReactElement {
  const stores = useStores();
  useChanges(stores.table);
  useChanges(stores.place);
  useChanges(stores.status);
  return (
    <div role="rowgroup">
      <div role="row">
        <div role="gridcell" className={styles.empty} data-testid="empty-table">
          {reason(stores)}
          {hasOnlyEnded(stores) && (
            <div className={styles.instead}>
              <Button
                shortcut="c"
                onClick={() => {
                  stores.place.replace({ ...stores.place.connections, showClosed: true });
                }}
              >
                Show ended ones
              </Button>
            </div>
          )}
        </div>
      </div>
    </div>
  );
}

function reason(stores: Stores): string {
  const { table } = stores;
  if (table.loading !== undefined) {
    return `Loading connections: ${formatCount(table.loading)} so far.`;
  }
  switch (table.link.kind) {
    case 'connecting':
      return 'Asking the daemon.';
    case 'locked':
      return 'The daemon wants a token; connections will show here once it has a good one.';
    case 'refused':
      return table.link.failure.kind === 'invalid'
        ? 'The filter is not understood; what is wrong is said below it.'
        : `The daemon shows no connections here: ${table.link.failure.message}.`;
    case 'reconnecting':
      return 'The daemon does not answer; connections will show here as soon as it does.';
    case 'live':
      return noneWords(stores);
  }
}

/** Whether all that is listed has ended, and that is why nothing shows. */
function hasOnlyEnded({ table, status: { status }, place: { connections: here } }: Stores): boolean {
  const listed = status?.connections.listed ?? 0;
  return table.link.kind === 'live' && listed > 0 && !here.showClosed && here.filter.trim() === '';
}

function noneWords(stores: Stores): string {
  const {
    status: { status },
    place: { connections: here },
  } = stores;
  const listed = status?.connections.listed ?? 0;
  if (listed > 0 && here.filter.trim() !== '') {
    const kept = here.showClosed ? 'listed' : 'open';
    return `None of the ${kept} connections passes the filter “${here.filter.trim()}”.`;
  }
  if (hasOnlyEnded(stores)) {
    return `No connection is open; ${formatPlural(listed, 'ended one is', 'ended ones are')} listed.`;
  }
  if (status !== undefined && status.captureFile !== '') {
    return `Waiting for the first packet of ${status.captureFile}.`;
  }
  const attached = status?.interfaces.filter(({ hook }) => hook !== 'none').map(({ name }) => name);
  if (attached === undefined) {
    return 'Waiting for the first packet.';
  }
  return attached.length === 0
    ? 'The daemon is attached to no interface, so it sees no packets.'
    : `Waiting for the first packet on ${attached.join(', ')}.`;
}
