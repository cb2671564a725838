// What the table says when it has no rows: why, and what it is waiting for.
import type { ReactElement } from 'react';
import { formatCount } from '../domain/format';
import { useChanges } from '../store/notifier';
import { useStores, type Stores } from '../store/stores';
import styles from './empty-table.module.css';

export function EmptyTable(): ReactElement {
  const stores = useStores();
  useChanges(stores.live);
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

function reason({ live, status, order }: Stores): string {
  if (live.connections.size > 0) {
    const { text } = order.filter;
    const total = formatCount(live.connections.size);
    return text === ''
      ? `None of the ${total} listed connections is open.`
      : `None of the ${total} listed connections matches “${text}”.`;
  }
  if (live.loading !== undefined) {
    return `Loading connections: ${formatCount(live.loading)} so far.`;
  }
  if (live.linkState.kind === 'locked') {
    return 'The daemon wants a token; connections will show here once it has a good one.';
  }
  if (live.linkState.kind !== 'live') {
    return live.linkState.kind === 'connecting'
      ? 'Connecting to the daemon.'
      : 'The daemon does not answer; connections will show here as soon as it does.';
  }
  if (status.status !== undefined && status.status.captureFile !== '') {
    return `Waiting for the first packet of ${status.status.captureFile}.`;
  }
  const attached = status.status?.interfaces.filter(({ hook }) => hook !== 'none').map(({ name }) => name);
  if (attached === undefined) {
    return 'Waiting for the first packet.';
  }
  return attached.length === 0
    ? 'The daemon is attached to no interface, so it sees no packets.'
    : `Waiting for the first packet on ${attached.join(', ')}.`;
}
