// The connections that failed, by how they did, the newest first.
import type { ReactElement } from 'react';
import { CLOSE_REASON_WORDS, kernelWords, processOf, type Connection } from '../domain/connection';
import { FAILURE_WORDS, FAILURES, failureOf, filterOfFailure } from '../domain/failure';
import {
  formatBytes,
  formatClock,
  formatCount,
  formatDuration,
  formatEndpoint,
  formatLife,
} from '../domain/format';
import { CONNECTIONS, type FailuresPlace } from '../domain/place';
import { useChanges } from '../store/notifier';
import { useStores, type Stores } from '../store/stores';
import styles from './list-view.module.css';
import { PlaceLink } from './place-link';
import { ProcessName } from './process-name';
import { SegmentedChoice } from './segmented-choice';

export function FailuresView({ here }: { here: FailuresPlace }): ReactElement {
  const stores = useStores();
  const { failures, place } = stores;
  useChanges(failures);
  const { instance, order, total } = failures;
  const shown = order.flatMap((id) => failures.connections.get(id) ?? []);
  return (
    <section className={styles.view} aria-label="Failures" data-testid="failures">
      <div className={styles.bar}>
        <SegmentedChoice
          label="How they failed"
          choices={FAILURES.map((kind) => ({ value: kind, label: FAILURE_WORDS[kind].name }))}
          chosen={here.kind}
          onChoose={(kind) => {
            place.replace({ ...here, kind });
          }}
        />
        <span className={styles.label}>{FAILURE_WORDS[here.kind].meaning}</span>
        <span className={styles.note}>
          {formatCount(shown.length)} of {formatCount(total)} shown ·{' '}
          <PlaceLink to={{ ...CONNECTIONS, filter: filterOfFailure(here.kind), showClosed: true }} marked>
            in the table of connections
          </PlaceLink>
        </span>
      </div>
      <div className={styles.scroller} tabIndex={0} role="region" aria-label="List of failures">
        {shown.length === 0 || instance === undefined ? (
          <p className={styles.empty}>{emptyWords(stores)}</p>
        ) : (
          <table className={styles.table}>
            <thead>
              <tr>
                <th scope="col">Connection</th>
                <th scope="col" className={styles.text}>
                  How
                </th>
                <th
                  scope="col"
                  className={styles.text}
                  title="What the kernel of this host says: the error that the socket got, and why it sent a reset"
                >
                  Why
                </th>
                <th scope="col" className={styles.text}>
                  Process
                </th>
                <th scope="col">Ended</th>
                <th scope="col">Lived</th>
                <th scope="col" title="Times that a SYN was sent again, both ends">
                  SYNs again
                </th>
                <th scope="col">Payload</th>
              </tr>
            </thead>
            <tbody>
              {shown.map((connection) => (
                <Row key={String(connection.id)} {...{ instance, connection }} />
              ))}
            </tbody>
          </table>
        )}
      </div>
    </section>
  );
}

function Row({ instance, connection }: { instance: bigint; connection: Connection }): ReactElement {
  const { id, source, destination, closedAtMs, closeReason, firstSeenMs, sent, received } = connection;
  const failure = failureOf(closeReason);
  const synsAgain = sent.synRetransmissions + received.synRetransmissions;
  const payloadBytes = sent.payloadBytes + received.payloadBytes;
  return (
    <tr data-testid="failure">
      <th scope="row">
        <PlaceLink to={{ view: 'connection', ref: { instance, id } }} title="Open it">
          {formatEndpoint(source)} → {formatEndpoint(destination)}
        </PlaceLink>
      </th>
      <td className={styles.text} title={failure && FAILURE_WORDS[failure].meaning}>
        {CLOSE_REASON_WORDS[closeReason]}
      </td>
      <td className={styles.text}>{kernelWords(connection)}</td>
      <td className={styles.text}>
        <ProcessName process={processOf(connection)} />
      </td>
      <td>{closedAtMs === undefined ? '' : formatClock(closedAtMs).slice(0, 8)}</td>
      <td>{closedAtMs === undefined ? '' : formatLife(closedAtMs - firstSeenMs)}</td>
      <td className={synsAgain > 0 ? styles.warned : styles.quiet}>{formatCount(synsAgain)}</td>
      <td className={payloadBytes > 0 ? undefined : styles.quiet}>{formatBytes(payloadBytes)}</td>
    </tr>
  );
}

function emptyWords({ failures, status: { status } }: Stores): string {
  const { link, settled } = failures;
  switch (link.kind) {
    case 'refused':
      return `The daemon shows no connections here: ${link.failure.message}.`;
    case 'locked':
      return 'Failures will show here once the daemon has a good token.';
    case 'reconnecting':
      return 'The daemon does not answer; failures will show here as soon as it does.';
    case 'connecting':
      return 'Asking the daemon.';
    case 'live':
      break;
  }
  if (!settled || status === undefined) {
    return 'Asking the daemon.';
  }
  // What was long ago is gone from the list, but was counted.
  const { failedTotal, resetTotal } = status.connections;
  return `None of the last ${formatDuration(status.keepClosedMs)}. Since the start of the daemon ${formatCount(failedTotal)} were refused or not answered, and ${formatCount(resetTotal)} reset.`;
}
