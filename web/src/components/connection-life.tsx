// When a connection lived, how it ended, and what is known of where it was seen.
import type { ReactElement } from 'react';
import {
  CLOSE_REASON_WORDS,
  LOCAL_END_WORDS,
  ORIENTATION_WORDS,
  kernelWords,
  type Connection,
} from '../domain/connection';
import { formatDuration, formatTimestamp } from '../domain/format';
import styles from './connection-life.module.css';
import { useDaemonNow } from './use-daemon-now';

export function ConnectionLife({ connection }: { connection: Connection }): ReactElement {
  const nowMs = useDaemonNow();
  const { firstSeenMs, lastSeenMs, closedAtMs } = connection;
  const why = kernelWords(connection);
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
        {why !== '' && <Fact name="Kernel says" value={why} />}
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
