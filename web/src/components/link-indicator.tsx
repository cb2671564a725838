// Whether the page shows live data, in two or three words with a coloured dot.
import type { ReactElement } from 'react';
import { formatClock, formatDuration } from '../domain/format';
import { isGone, linkLabel, type LinkState } from '../domain/link';
import { useChanges } from '../store/notifier';
import { useStores } from '../store/stores';
import styles from './link-indicator.module.css';

export function LinkIndicator(): ReactElement {
  const { link, clock } = useStores();
  useChanges(link);
  useChanges(clock);
  const { state } = link;
  const staleMs = state.kind === 'live' ? link.staleMs(clock.nowMs) : undefined;
  return (
    <span
      className={styles.indicator}
      data-mood={moodOf(state, staleMs)}
      role="status"
      data-testid="link-state"
      title={sinceWords(state)}
    >
      <span className={styles.dot} aria-hidden="true" />
      {staleMs === undefined ? linkLabel(state) : `stale for ${formatDuration(staleMs)}`}
    </span>
  );
}

function moodOf(state: LinkState, staleMs: number | undefined): string {
  if (state.kind === 'live' || state.kind === 'connecting') {
    return staleMs === undefined ? state.kind : 'late';
  }
  return isGone(state) ? 'gone' : 'late';
}

function sinceWords(state: LinkState): string | undefined {
  return state.kind === 'connecting' ? undefined : `since ${formatClock(state.sinceMs)}`;
}
