// The selected connection beside the table. When it leaves the list its last form stays.
import { useEffect, useRef, type ReactElement } from 'react';
import type { Connection } from '../domain/connection';
import { formatEndpoint } from '../domain/format';
import { useChanges } from '../store/notifier';
import { useStores } from '../store/stores';
import { Button } from './button';
import { ConnectionCharts } from './connection-charts';
import { ConnectionLife } from './connection-life';
import styles from './details-panel.module.css';
import { EndpointText } from './endpoint-text';
import { HealthTable } from './health-table';
import { ListedNotice } from './listed-notice';
import { ProcessFacts } from './process-facts';
import { RecentPackets } from './recent-packets';
import { RoundTripTable } from './round-trip-table';
import { SocketTable } from './socket-table';
import { StateBadge } from './state-badge';
import { TrafficTable } from './traffic-table';
import { VerdictStory } from './verdict-story';

const CHART_HEIGHT_PX = 110;

export function DetailsPanel(): ReactElement | null {
  const { place, selection } = useStores();
  useChanges(selection);
  const content = useRef<HTMLDivElement>(null);
  const { ref, connection } = selection;
  useEffect(() => {
    content.current?.scrollTo(0, 0);
  }, [ref]);
  if (ref === undefined) {
    return null;
  }
  return (
    <aside className={styles.panel} aria-label="Connection details" data-testid="details">
      <div className={styles.head}>
        <h2>Connection {String(ref.id)}</h2>
        <span className={styles.tools}>
          <Button
            icon="open"
            title="Everything about it, on a page of its own (Enter)"
            onClick={() => {
              place.go({ view: 'connection', ref });
            }}
          >
            Open
          </Button>
          <Button
            icon="close"
            label="Close the details"
            title="Close (Esc)"
            onClick={() => {
              place.replace({ ...place.connections, selected: undefined });
            }}
          />
        </span>
      </div>
      <ListedNotice />
      <div ref={content} className={styles.content} tabIndex={0} role="region" aria-label="Details">
        {connection !== undefined && (
          <>
            <Ends connection={connection} />
            <VerdictStory verdict={connection.verdict} />
            <ProcessFacts connection={connection} />
            <ConnectionCharts connection={connection} heightPx={CHART_HEIGHT_PX} brief />
            <TrafficTable sent={connection.sent} received={connection.received} />
            <HealthTable sent={connection.sent} received={connection.received} />
            <RoundTripTable connection={connection} />
            <SocketTable connection={connection} />
            <ConnectionLife connection={connection} />
            <RecentPackets />
          </>
        )}
      </div>
    </aside>
  );
}

function Ends({ connection }: { connection: Connection }): ReactElement {
  const { source, destination, sourceState, destinationState } = connection;
  return (
    <section
      className={styles.ends}
      aria-label={`${formatEndpoint(source)} to ${formatEndpoint(destination)}`}
    >
      <span className={styles.role}>Source</span>
      <EndpointText address={source.address} port={source.port} />
      <StateBadge state={sourceState} />
      <span className={styles.role}>Destination</span>
      <EndpointText address={destination.address} port={destination.port} />
      <StateBadge state={destinationState} />
    </section>
  );
}
