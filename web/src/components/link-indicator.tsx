// Whether the page shows live data, in two or three words with a coloured dot.
import type { ReactElement } from 'react';
import { formatClock, formatDuration } from '../domain/format';
import { isGone, linkLabel, type LinkState } from '../domain/link';
import styles from './link-indicator.module.css';

const LATE_MS = 2000;

interface LinkIndicatorProps {
  readonly state: LinkState;
  /** How late the data is. */
  readonly delayMs: number;
}

export function LinkIndicator({ state, delayMs }: LinkIndicatorProps): ReactElement {
  const late = state.kind === 'live' && delayMs > LATE_MS;
  const broken = state.kind === 'reconnecting' || state.kind === 'locked';
  const mood = late || broken ? (isGone(state) ? 'gone' : 'late') : state.kind;
  return (
    <span
      className={styles.indicator}
      data-mood={mood}
      role="status"
      data-testid="link-state"
      title={sinceWords(state)}
    >
      <span className={styles.dot} aria-hidden="true" />
      {linkLabel(state)}
      {late && `, ${formatDuration(delayMs)} behind`}
    </span>
  );
}

function sinceWords(state: LinkState): string | undefined {
  return state.kind === 'connecting' ? undefined : `since ${formatClock(state.sinceMs)}`;
}
