// The sockets of this host that wait for connections: how full their queues are, and what was dropped there.
import type { ReactElement } from 'react';
import { formatCount, formatEndpoint, formatPlural, formatShare, NOT_MEASURED } from '../domain/format';
import {
  belongsTo,
  filterOfListener,
  listenerTrouble,
  queueShare,
  worstListenersFirst,
  type Listener,
} from '../domain/listener';
import { CONNECTIONS } from '../domain/place';
import { useChanges } from '../store/notifier';
import { useStores, type Stores } from '../store/stores';
import styles from './list-view.module.css';
import { PlaceLink } from './place-link';
import { ProcessName } from './process-name';

export function ListenersView(): ReactElement {
  const stores = useStores();
  useChanges(stores.listeners);
  const listeners = worstListenersFirst(stores.listeners.listeners ?? []);
  const troubled = listeners.filter((listener) => listenerTrouble(listener) !== undefined).length;
  return (
    <section className={styles.view} aria-label="Listeners" data-testid="listeners">
      <div className={styles.bar}>
        <span className={styles.label}>Where this host waits for connections, the worst first</span>
        <span className={styles.note}>
          {formatPlural(listeners.length, 'listener')}
          {troubled > 0 && `, ${formatCount(troubled)} that dropped something or fill up`}
        </span>
      </div>
      <div className={styles.scroller} tabIndex={0} role="region" aria-label="List of listeners">
        {listeners.length === 0 ? (
          <p className={styles.empty}>{emptyWords(stores)}</p>
        ) : (
          <table className={styles.table}>
            <thead>
              <tr>
                <th scope="col">Listens at</th>
                <th scope="col" className={styles.text}>
                  Takes
                </th>
                <th scope="col" title="Established connections that wait for the application to accept them">
                  Waiting
                </th>
                <th scope="col" title="How many may wait: the backlog, or net.core.somaxconn">
                  Limit
                </th>
                <th scope="col">Full</th>
                <th scope="col" title="Handshakes that are not complete">
                  Half-open
                </th>
                <th scope="col" title="Packets of handshakes dropped here since the socket was made">
                  Dropped
                </th>
                <th scope="col" className={styles.text} title="The process that holds the socket">
                  Process
                </th>
                <th scope="col" className={styles.text} title="The container of that process, else its unit">
                  Belongs to
                </th>
                <th scope="col" title="Number of the user who made the socket">
                  User
                </th>
              </tr>
            </thead>
            <tbody>
              {listeners.map((listener) => (
                <Row
                  key={`${formatEndpoint(listener.address)} ${listener.socketCookie} ${listener.networkNamespace ?? ''}`}
                  listener={listener}
                />
              ))}
            </tbody>
          </table>
        )}
      </div>
    </section>
  );
}

function Row({ listener }: { listener: Listener }): ReactElement {
  const { address, acceptQueue, acceptQueueLimit, synQueue, drops, userId, process } = listener;
  const trouble = listenerTrouble(listener);
  const share = queueShare(listener);
  return (
    <tr data-testid="listener" data-trouble={trouble}>
      <th scope="row">
        <PlaceLink
          to={{ ...CONNECTIONS, filter: filterOfListener(listener) }}
          title="Show the open connections that came to it"
        >
          {formatEndpoint(address)}
        </PlaceLink>
      </th>
      <td className={styles.text}>{protocolWords(listener)}</td>
      <td className={toneOf(acceptQueue, trouble === 'filling')}>{formatCount(acceptQueue)}</td>
      <td>{formatCount(acceptQueueLimit)}</td>
      <td className={toneOf(acceptQueue, trouble === 'filling')}>
        {share === undefined ? NOT_MEASURED : formatShare(share)}
      </td>
      <td className={toneOf(synQueue, false)}>{formatCount(synQueue)}</td>
      <td className={toneOf(drops, true)}>{formatCount(drops)}</td>
      <td className={styles.text}>
        <ProcessName process={process} />
      </td>
      <td className={styles.text}>{belongsTo(listener) ?? NOT_MEASURED}</td>
      <td>{userId}</td>
    </tr>
  );
}

/** Faint where there is nothing, and marked where it is bad. */
function toneOf(count: number | undefined, isBad: boolean): string | undefined {
  return (count ?? 0) === 0 ? styles.quiet : isBad ? styles.warned : undefined;
}

function protocolWords({ address, dualStack }: Listener): string {
  if (!address.address.includes(':')) {
    return 'IPv4';
  }
  return dualStack === undefined ? 'IPv6, IPv4 unknown' : dualStack ? 'IPv6 and IPv4' : 'IPv6';
}

function emptyWords({ listeners: { link, listeners } }: Stores): string {
  switch (link.kind) {
    case 'refused':
      return `The daemon shows no listeners here: ${link.failure.message}.`;
    case 'locked':
      return 'Listeners will show here once the daemon has a good token.';
    case 'reconnecting':
      return 'The daemon does not answer; listeners will show here as soon as it does.';
    case 'connecting':
      return 'Asking the daemon.';
    case 'live':
      return listeners === undefined ? 'Asking the daemon.' : 'Nothing on this host waits for connections.';
  }
}
