// Everything known about the selected connection. When it leaves the list its last form stays.
import { useEffect, useRef, type ReactElement } from 'react';
import {
  CLOSE_REASON_WORDS,
  LOCAL_END_WORDS,
  ORIENTATION_WORDS,
  type Connection,
} from '../domain/connection';
import {
  formatByteRate,
  formatDuration,
  formatEndpoint,
  formatMicroseconds,
  formatTimestamp,
} from '../domain/format';
import { useChanges } from '../store/notifier';
import type { Sample } from '../store/selection';
import { useStores } from '../store/stores';
import { Button } from './button';
import styles from './details-panel.module.css';
import { EndpointText } from './endpoint-text';
import { RecentPackets } from './recent-packets';
import { RoundTripTable } from './round-trip-table';
import { SocketTable } from './socket-table';
import { StateBadge } from './state-badge';
import { TimeChart } from './time-chart';
import { TrafficTable } from './traffic-table';
import { HealthTable } from './health-table';

const CHART_SPAN_MS = { least: 60_000, most: 180_000 };

export function DetailsPanel(): ReactElement | null {
  const { live, selection } = useStores();
  useChanges(live);
  useChanges(selection);
  const content = useRef<HTMLDivElement>(null);
  const { ref, connection } = selection;
  useEffect(() => {
    content.current?.scrollTo(0, 0);
  }, [ref]);
  if (ref === undefined) {
    return null;
  }
  const close = (): void => {
    selection.select(undefined);
  };
  return (
    <aside className={styles.panel} aria-label="Connection details" data-testid="details">
      <div className={styles.head}>
        <h2>Connection {String(ref.id)}</h2>
        <Button icon="close" label="Close the details" title="Close (Esc)" onClick={close} />
      </div>
      <Notice
        listed={selection.listed}
        known={connection !== undefined}
        ready={live.instance !== undefined}
      />
      <div ref={content} className={styles.content} tabIndex={0} role="region" aria-label="Details">
        {connection !== undefined && <Details connection={connection} samples={selection.samples} />}
      </div>
    </aside>
  );
}

function Notice({
  listed,
  known,
  ready,
}: {
  listed: boolean;
  known: boolean;
  ready: boolean;
}): ReactElement | null {
  if (listed || !ready) {
    return null;
  }
  return (
    <p className={styles.notice} role="status">
      {known
        ? 'This connection is no longer listed. Below is what was last known of it.'
        : 'This connection is not listed: it has ended, or the link is from an earlier run of the daemon.'}
    </p>
  );
}

function Details({
  connection,
  samples,
}: {
  connection: Connection;
  samples: readonly Sample[];
}): ReactElement {
  const timesMs = samples.map(({ atMs }) => atMs);
  const watchedMs = (timesMs.at(-1) ?? 0) - (timesMs[0] ?? 0);
  const spanMs = Math.min(CHART_SPAN_MS.most, Math.max(CHART_SPAN_MS.least, watchedMs));
  return (
    <>
      <Ends connection={connection} />
      <TimeChart
        title="Throughput"
        timesMs={timesMs}
        spanMs={spanMs}
        format={formatByteRate}
        series={[
          { name: 'sent', tone: 'sent', values: samples.map((sample) => sample.sentBytesPerSecond) },
          {
            name: 'received',
            tone: 'received',
            values: samples.map((sample) => sample.receivedBytesPerSecond),
          },
        ]}
      />
      <TimeChart
        title="Round trip"
        timesMs={timesMs}
        spanMs={spanMs}
        format={formatMicroseconds}
        series={[{ name: 'smoothed', tone: 'round-trip', values: samples.map(({ srttUs }) => srttUs) }]}
      />
      <TrafficTable sent={connection.sent} received={connection.received} />
      <HealthTable sent={connection.sent} received={connection.received} />
      <RoundTripTable connection={connection} />
      <SocketTable connection={connection} />
      <Life connection={connection} />
      <RecentPackets />
    </>
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

function Life({ connection }: { connection: Connection }): ReactElement {
  const { live, clock, status } = useStores();
  useChanges(clock);
  const nowMs = status.ageAtMs(live.daemonNowMs(clock.nowMs));
  const { firstSeenMs, lastSeenMs, closedAtMs } = connection;
  return (
    <section>
      <h3>Life</h3>
      <dl className={styles.facts}>
        <Fact name="First seen" value={formatTimestamp(firstSeenMs)} />
        <Fact
          name="Last seen"
          value={`${formatTimestamp(lastSeenMs)} (${formatDuration(nowMs - lastSeenMs)} ago)`}
        />
        <Fact name="Age" value={formatDuration((closedAtMs ?? nowMs) - firstSeenMs)} />
        <Fact
          name="Ended"
          value={
            closedAtMs === undefined
              ? CLOSE_REASON_WORDS.none
              : `${formatTimestamp(closedAtMs)}: ${CLOSE_REASON_WORDS[connection.closeReason]}`
          }
        />
        <Fact name="Interface" value={connection.interface} />
        <Fact name="This host" value={LOCAL_END_WORDS[connection.localEnd]} />
        <Fact name="Direction" value={ORIENTATION_WORDS[connection.orientation]} />
        <Fact name="ECN" value={ecnWords(connection.ecn)} />
      </dl>
    </section>
  );
}

function ecnWords(agreed: boolean | undefined): string {
  return agreed === undefined ? 'not known' : agreed ? 'both ends agreed to it' : 'not agreed to';
}

function Fact({ name, value }: { name: string; value: string }): ReactElement {
  return (
    <>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </>
  );
}
