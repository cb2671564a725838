// What is unhealthy now, the worst first: the open connections that lose most of their packets.
import type { ReactElement } from 'react';
import { retransmissionShare, totalBytesPerSecond, type Connection } from '../domain/connection';
import { formatByteRate, formatEndpoint, formatMicroseconds, formatShare } from '../domain/format';
import { CONNECTIONS, type ConnectionsPlace } from '../domain/place';
import { useChanges } from '../store/notifier';
import { useStores } from '../store/stores';
import { Card } from './card';
import { PlaceLink } from './place-link';
import styles from './ranking.module.css';

const ALL: ConnectionsPlace = {
  ...CONNECTIONS,
  filter: 'open and retransmissions > 0',
  sort: { column: 'retransmissions', direction: 'descending' },
};

export function Unhealthy(): ReactElement {
  const { unhealthy } = useStores();
  useChanges(unhealthy);
  const worst = [...unhealthy.connections.values()].sort(
    (left, right) => (retransmissionShare(right) ?? 0) - (retransmissionShare(left) ?? 0),
  );
  const { instance } = unhealthy;
  return (
    <Card
      title="Unhealthy now"
      testId="unhealthy"
      tools={<PlaceLink to={ALL}>all that lose packets</PlaceLink>}
    >
      {worst.length === 0 ? (
        <p className={styles.empty}>
          {unhealthy.settled
            ? 'No open connection loses packets.'
            : 'Looking for connections that lose packets.'}
        </p>
      ) : (
        <table className={styles.table}>
          <thead>
            <tr>
              <th scope="col">Connection</th>
              <th scope="col">Sent again</th>
              <th scope="col" className={styles.few}>
                RTT
              </th>
              <th scope="col">Rate</th>
            </tr>
          </thead>
          <tbody>
            {instance !== undefined &&
              worst.map((connection) => <Row key={String(connection.id)} {...{ instance, connection }} />)}
          </tbody>
        </table>
      )}
    </Card>
  );
}

function Row({ instance, connection }: { instance: bigint; connection: Connection }): ReactElement {
  return (
    <tr>
      <td>
        <PlaceLink to={{ view: 'connection', ref: { instance, id: connection.id } }} title="Open it">
          <span className={styles.ends}>
            <span>{formatEndpoint(connection.destination)}</span>
            <span className={styles.from}>from {formatEndpoint(connection.source)}</span>
          </span>
        </PlaceLink>
      </td>
      <td className={styles.bad}>{formatShare(retransmissionShare(connection))}</td>
      <td>{formatMicroseconds(connection.rtt?.srttUs)}</td>
      <td>{formatByteRate(totalBytesPerSecond(connection))}</td>
    </tr>
  );
}
