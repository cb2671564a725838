// What is unhealthy now, the worst first: the open connections with whom something is wrong, and what that is.
import type { ReactElement } from 'react';
import type { Connection } from '../domain/connection';
import { formatEndpoint, formatPlural } from '../domain/format';
import { CONNECTIONS, type ConnectionsPlace } from '../domain/place';
import { UNHEALTHY_FILTER } from '../domain/verdict';
import type { ConnectionStore } from '../store/connections';
import { useChanges } from '../store/notifier';
import { useStores } from '../store/stores';
import { Card } from './card';
import { DurationSince } from './duration-since';
import { PlaceLink } from './place-link';
import styles from './ranking.module.css';
import { VerdictBadge } from './verdict-badge';

const ALL: ConnectionsPlace = {
  ...CONNECTIONS,
  filter: UNHEALTHY_FILTER,
  sort: { column: 'verdict', direction: 'descending' },
};

export function Unhealthy(): ReactElement {
  const { unhealthy } = useStores();
  useChanges(unhealthy);
  const { instance, order, total } = unhealthy;
  const worst = order.flatMap((id) => unhealthy.connections.get(id) ?? []);
  const more = Math.max(0, total - worst.length);
  return (
    <Card
      title="Unhealthy now"
      testId="unhealthy"
      tools={
        <PlaceLink to={ALL} marked>
          show all
        </PlaceLink>
      }
    >
      {worst.length === 0 ? (
        <p className={styles.empty}>{emptyWords(unhealthy)}</p>
      ) : (
        <>
          <table className={styles.table}>
            <thead>
              <tr>
                <th scope="col">Connection</th>
                <th scope="col" className={styles.verdict}>
                  Verdict
                </th>
                <th scope="col" title="How long that has been so">
                  For
                </th>
              </tr>
            </thead>
            <tbody>
              {instance !== undefined &&
                worst.map((connection) => <Row key={String(connection.id)} {...{ instance, connection }} />)}
            </tbody>
          </table>
          {more > 0 && <p className={styles.more}>{formatPlural(more, 'more connection')}</p>}
        </>
      )}
    </Card>
  );
}

function Row({ instance, connection }: { instance: bigint; connection: Connection }): ReactElement {
  const { id, source, destination, verdict } = connection;
  return (
    <tr>
      <td>
        <PlaceLink to={{ view: 'connection', ref: { instance, id } }} title="Open it">
          <span className={styles.ends}>
            <span>{formatEndpoint(destination)}</span>
            <span className={styles.from}>from {formatEndpoint(source)}</span>
          </span>
        </PlaceLink>
      </td>
      <td>
        {verdict !== undefined && (
          <span className={styles.why}>
            <VerdictBadge verdict={verdict} />
            <span className={styles.from}>{verdict.evidence[0]?.text}</span>
          </span>
        )}
      </td>
      <td>{verdict !== undefined && <DurationSince fromMs={verdict.sinceMs} />}</td>
    </tr>
  );
}

function emptyWords({ link, settled }: ConnectionStore): string {
  if (link.kind === 'refused') {
    return `The daemon does not say: ${link.failure.message}.`;
  }
  return settled ? 'Nothing is wrong with any open connection.' : 'Looking for what is wrong.';
}
