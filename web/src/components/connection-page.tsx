// Everything about one connection on a page of its own: who talks to whom and how it stands in a line, how
// its numbers moved, what they are, and its newest packets.
import type { ReactElement } from 'react';
import { CLOSE_REASON_WORDS, retransmissionShare, type Connection } from '../domain/connection';
import { formatBytes, formatDuration, formatMicroseconds, formatShare } from '../domain/format';
import type { ConnectionPlace } from '../domain/place';
import { useChanges } from '../store/notifier';
import { useStores } from '../store/stores';
import { Button } from './button';
import { ConnectionCharts } from './connection-charts';
import { ConnectionLife } from './connection-life';
import styles from './connection-page.module.css';
import { EndpointText } from './endpoint-text';
import { HealthTable } from './health-table';
import { ListedNotice } from './listed-notice';
import { NotablePackets } from './notable-packets';
import { ProcessFacts } from './process-facts';
import { RecentPackets } from './recent-packets';
import { RecordButton } from './record-button';
import { RoundTripTable } from './round-trip-table';
import { SequenceLadder } from './sequence-ladder';
import { SocketTable } from './socket-table';
import { StateBadge } from './state-badge';
import { StateTimeline } from './state-timeline';
import { TimeSequencePlot } from './time-sequence-plot';
import { TrafficTable } from './traffic-table';
import { useDaemonNow } from './use-daemon-now';
import { VerdictStory } from './verdict-story';

const CHART_HEIGHT_PX = 150;

export function ConnectionPage({ place: here }: { place: ConnectionPlace }): ReactElement {
  const { place, selection } = useStores();
  useChanges(selection);
  const { connection } = selection;
  return (
    <div className={styles.page} data-testid="details">
      <div className={styles.head}>
        <Button
          icon="back"
          label="Back to the connections"
          title="Back to the connections (Esc)"
          onClick={() => {
            place.go({ ...place.connections, selected: here.ref });
          }}
        />
        <h2>Connection {String(here.ref.id)}</h2>
        {connection !== undefined && <Ends connection={connection} />}
        <span className={styles.tools}>
          <RecordButton wish={{ filter: '', connectionId: here.ref.id }} />
        </span>
      </div>
      <ListedNotice />
      <div className={styles.content} tabIndex={0} role="region" aria-label="Details">
        {connection === undefined ? (
          selection.listed === undefined && <p className={styles.waiting}>Asking the daemon.</p>
        ) : (
          <>
            <VerdictStory verdict={connection.verdict} />
            <Story connection={connection} />
            <StateTimeline connection={connection} />
            <div className={styles.parts}>
              <div className={styles.charts}>
                <ConnectionCharts connection={connection} heightPx={CHART_HEIGHT_PX} />
              </div>
              <div className={styles.wide}>
                <TimeSequencePlot connection={connection} />
              </div>
              <div className={styles.numbers}>
                <SequenceLadder connection={connection} />
                <NotablePackets />
              </div>
              <div className={styles.numbers}>
                <TrafficTable sent={connection.sent} received={connection.received} />
              </div>
              <div className={styles.numbers}>
                <ProcessFacts connection={connection} />
                <HealthTable sent={connection.sent} received={connection.received} />
                <ConnectionLife connection={connection} />
              </div>
              <div className={styles.numbers}>
                <RoundTripTable connection={connection} />
                <SocketTable connection={connection} />
              </div>
              <div className={`${styles.numbers} ${styles.packets}`}>
                <RecentPackets />
              </div>
            </div>
          </>
        )}
      </div>
    </div>
  );
}

function Ends({ connection }: { connection: Connection }): ReactElement {
  const { source, destination, sourceState, destinationState } = connection;
  return (
    <span className={styles.ends}>
      <EndpointText address={source.address} port={source.port} />
      <StateBadge state={sourceState} />
      <span aria-label="to">→</span>
      <EndpointText address={destination.address} port={destination.port} />
      <StateBadge state={destinationState} />
    </span>
  );
}

/** How it stands, in a sentence. */
function Story({ connection }: { connection: Connection }): ReactElement {
  const nowMs = useDaemonNow();
  const { firstSeenMs, closedAtMs, closeReason, sent, received, rtt } = connection;
  const age = formatDuration((closedAtMs ?? nowMs) - firstSeenMs);
  const life =
    closedAtMs === undefined ? `Open for ${age}` : `Ended after ${age}: ${CLOSE_REASON_WORDS[closeReason]}`;
  const share = retransmissionShare(connection);
  const facts = [
    life,
    `${formatBytes(sent.payloadBytes)} sent, ${formatBytes(received.payloadBytes)} received`,
    ...(rtt === undefined ? [] : [`${formatMicroseconds(rtt.srttUs)} round trip`]),
    ...(share === undefined ? [] : [share === 0 ? 'nothing sent again' : `${formatShare(share)} sent again`]),
  ];
  return (
    <p className={styles.story} data-testid="story">
      {facts.join(' · ')}
    </p>
  );
}
