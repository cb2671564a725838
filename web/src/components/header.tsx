// The top of every view: which host, the views, whether the data is live and complete, and the tools.
import type { ReactElement } from 'react';
import { formatDuration } from '../domain/format';
import type { Status } from '../domain/status';
import { useChanges } from '../store/notifier';
import { useStores } from '../store/stores';
import { Button } from './button';
import { CopyLink } from './copy-link';
import { Degradations } from './degradations';
import { ForgetToken } from './forget-token';
import styles from './header.module.css';
import { LedgerPopover } from './ledger';
import { LinkIndicator } from './link-indicator';
import { Navigation } from './navigation';
import { ThemeChoice } from './theme-choice';

/** `onSkip` leads the focus to what is below. */
export function Header({ onSkip }: { onSkip: () => void }): ReactElement {
  const { status: store, overlay } = useStores();
  useChanges(store);
  const { status } = store;
  return (
    <header className={styles.header}>
      <button type="button" className={styles.skip} onClick={onSkip}>
        Skip to the view
      </button>
      <div className={styles.identity}>
        <img src="/favicon.svg" alt="" width="24" height="24" />
        <div>
          <h1 className={styles.product}>tcpviewer</h1>
          <p className={styles.host} title={status === undefined ? undefined : hostTitle(status)}>
            {status === undefined ? 'this host' : hostWords(status)}
          </p>
        </div>
      </div>
      <Navigation />
      <div className={styles.tools}>
        <LinkIndicator />
        {status !== undefined && (
          <>
            <LedgerPopover ledger={status.ledger} />
            <Degradations degradations={status.degradations} interfaces={status.interfaces} />
          </>
        )}
        <ForgetToken />
        <Button
          icon="search"
          label="Commands, Ctrl K"
          shortcut="Ctrl K"
          title="Go anywhere, do anything"
          onClick={() => {
            overlay.show('palette');
          }}
        />
        <CopyLink />
        <ThemeChoice className={styles.themes} />
        <Button
          label="Keys, ?"
          title="Keys"
          onClick={() => {
            overlay.show('keys');
          }}
        >
          <kbd>?</kbd>
        </Button>
      </div>
    </header>
  );
}

function hostWords({ hostName, captureFile }: Status): string {
  return captureFile === '' ? hostName : `${hostName} · capture ${captureFile}`;
}

function hostTitle(status: Status): string {
  const run = `tcpviewer ${status.version}, up for ${formatDuration(status.nowMs - status.startedAtMs)}.`;
  if (status.captureFile !== '') {
    return `${run} Plays the capture ${status.captureFile}.`;
  }
  const interfaces = status.interfaces
    .map(({ name, hook }) => `${name} (${hook === 'none' ? 'not attached' : hook})`)
    .join(', ');
  return `${run} Linux ${status.kernelRelease}. Interfaces: ${interfaces}.`;
}
