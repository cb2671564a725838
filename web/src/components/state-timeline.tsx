// The life of a connection as a bar of its phases, each as wide as it has to be read and then by its time, with marks
// where packets were sent again, windows were closed, or one end reset it.
import type { ReactElement } from 'react';
import type { Connection } from '../domain/connection';
import { formatLife, formatPlural } from '../domain/format';
import { timelineOf, type Moment, type Phase } from '../domain/timeline';
import { useChanges } from '../store/notifier';
import { useStores } from '../store/stores';
import styles from './state-timeline.module.css';
import { useDaemonNow } from './use-daemon-now';

const PHASE_WORDS: Record<Phase['kind'], string> = { opening: 'opening', open: 'open', closing: 'closing' };
const MOMENT_WORDS: Record<Moment['kind'], string> = {
  retransmission: 'sent again',
  'zero-window': 'no window',
  reset: 'reset',
};

export function StateTimeline({ connection }: { connection: Connection }): ReactElement {
  const { selection } = useStores();
  useChanges(selection);
  const nowMs = useDaemonNow();
  const { phases, moments } = timelineOf(connection, selection.packets, nowMs);
  const totalMs = phases.reduce((sum, phase) => sum + lengthMs(phase), 0);
  return (
    <ol className={styles.timeline} aria-label="Phases of its life" data-testid="timeline">
      {phases.map((phase) => {
        const within = moments.filter(({ atMs }) => atMs >= phase.fromMs && atMs < phase.toMs);
        return (
          <li
            key={phase.kind}
            className={styles.phase}
            data-phase={phase.kind}
            style={{ flexGrow: Math.max(0.001, lengthMs(phase) / totalMs) }}
            title={titleOf(phase, within)}
          >
            {PHASE_WORDS[phase.kind]} {formatLife(lengthMs(phase))}
            {within.map(({ atMs, kind }, index) => (
              <span
                key={index}
                className={styles.moment}
                data-kind={kind}
                aria-hidden="true"
                style={{ left: `${(((atMs - phase.fromMs) / lengthMs(phase)) * 100).toFixed(2)}%` }}
              />
            ))}
          </li>
        );
      })}
    </ol>
  );
}

function lengthMs({ fromMs, toMs }: Phase): number {
  return toMs - fromMs;
}

function titleOf(phase: Phase, moments: readonly Moment[]): string {
  const kinds = Object.keys(MOMENT_WORDS) as Moment['kind'][];
  const counts = kinds.flatMap((kind) => {
    const count = moments.filter((moment) => moment.kind === kind).length;
    return count === 0 ? [] : `${formatPlural(count, 'remembered packet')}: ${MOMENT_WORDS[kind]}`;
  });
  return [`${PHASE_WORDS[phase.kind]} for ${formatLife(lengthMs(phase))}`, ...counts].join('\n');
}
