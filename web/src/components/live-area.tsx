// The part of the page that shows live data: it turns grey while the daemon is gone.
import type { ReactElement, ReactNode } from 'react';
import { isGone } from '../domain/link';
import { useChanges } from '../store/notifier';
import { useStores } from '../store/stores';
import styles from './live-area.module.css';

export function LiveArea({ children }: { children: ReactNode }): ReactElement {
  const { live } = useStores();
  useChanges(live);
  return (
    <main className={styles.area} data-stale={isGone(live.linkState)}>
      {children}
    </main>
  );
}
