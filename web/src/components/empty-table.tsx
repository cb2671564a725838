// What the table says when it has no rows: why, and what it is waiting for.
import type { ReactElement } from 'react';
import { formatCount } from '../domain/format';
import { useChanges } from '../store/notifier';
import { useStores, type Stores } from '../store/stores';
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
        </div>
      </div>
    </div>
  );
}

function reason({ table, status, place }: Stores): string {
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
      return noneWords({ status, place });
  }
}

function noneWords({
  status: { status },
  place: { connections: here },
}: Pick<Stores, 'status' | 'place'>): string {
  const listed = status?.connections.listed ?? 0;
  if (listed > 0 && here.filter.trim() !== '') {
    const kept = here.showClosed ? 'listed' : 'open';
    return `None of the ${kept} connections passes the filter “${here.filter.trim()}”.`;
  }
  if (listed > 0 && !here.showClosed) {
    return `None of the ${formatCount(listed)} listed connections is open.`;
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
