// A connection's state as a badge; the colour tells the group, the title what the state means.
import { memo, type ReactElement } from 'react';
import { STATES, type TcpState } from '../domain/tcp-state';
import styles from './state-badge.module.css';

export const StateBadge = memo(function StateBadge({ state }: { state: TcpState }): ReactElement {
  const { name, group, meaning } = STATES[state];
  return (
    <span className={styles.badge} data-group={group} title={meaning}>
      {name}
    </span>
  );
});
