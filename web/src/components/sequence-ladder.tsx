// How a connection began and how it ended, packet by packet, as arrows between its two ends.
import type { ReactElement } from 'react';
import type { Connection } from '../domain/connection';
import { formatEndpoint, formatMicroseconds } from '../domain/format';
import { ladderOf, NOTABILITY_WORDS, type NotablePacket } from '../domain/history';
import { useChanges } from '../store/notifier';
import { useStores } from '../store/stores';
import { FlagMarks } from './flag-marks';
import styles from './sequence-ladder.module.css';

/** Steps at the beginning and at the end that are shown. */
const MOST_STEPS = 8;

export function SequenceLadder({ connection }: { connection: Connection }): ReactElement {
  const { selection } = useStores();
  useChanges(selection);
  const steps = ladderOf(selection.packets);
  const shown =
    steps.length > 2 * MOST_STEPS ? [...steps.slice(0, MOST_STEPS), ...steps.slice(-MOST_STEPS)] : steps;
  return (
    <section className={styles.ladder} data-testid="sequence-ladder">
      <h3>Beginning and end</h3>
      {shown.length === 0 ? (
        <p className={styles.empty}>Neither its handshake nor its end was seen.</p>
      ) : (
        <>
          <div className={styles.ends} aria-hidden="true">
            <span>{formatEndpoint(connection.source)}</span>
            <span>{formatEndpoint(connection.destination)}</span>
          </div>
          <ol className={styles.steps}>
            {shown.map((step, index) => (
              <Step key={`${step.timestampMs} ${step.seq} ${index}`} step={step} before={shown[index - 1]} />
            ))}
          </ol>
        </>
      )}
    </section>
  );
}

function Step({ step, before }: { step: NotablePacket; before: NotablePacket | undefined }): ReactElement {
  const sinceUs = before === undefined ? undefined : (step.timestampMs - before.timestampMs) * 1000;
  const again = step.notableFor.includes('retransmission');
  return (
    <li className={styles.step} data-from={step.fromSource ? 'source' : 'destination'} data-again={again}>
      <span className={styles.since}>{sinceUs !== undefined && `+${formatMicroseconds(sinceUs)}`}</span>
      <span className={styles.line}>
        <span className={styles.label}>
          <FlagMarks flags={step.flags} />
          {step.payloadBytes > 0 && <span>{step.payloadBytes} B</span>}
          {again && <span className={styles.again}>{NOTABILITY_WORDS.retransmission}</span>}
          <span className={styles.hidden}>
            {step.fromSource ? 'from the source' : 'from the destination'}
          </span>
        </span>
      </span>
    </li>
  );
}
