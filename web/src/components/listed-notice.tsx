// Says that what is shown of a connection is not its present: it is no longer listed, or never was.
import type { ReactElement } from 'react';
import { useChanges } from '../store/notifier';
import { useStores } from '../store/stores';
import styles from './listed-notice.module.css';

export function ListedNotice(): ReactElement | null {
  const { selection } = useStores();
  useChanges(selection);
  if (selection.listed !== false) {
    return null;
  }
  return (
    <p className={styles.notice} role="status">
      {selection.connection !== undefined
        ? 'This connection is no longer listed. Below is what was last known of it.'
        : 'This connection is not listed: it has ended, or the link is from an earlier run of the daemon.'}
    </p>
  );
}
