// Puts the address of this view on the clipboard, by a button or a key.
import { useEffect, useState, type ReactElement } from 'react';
import { Button } from './button';
import styles from './copy-link.module.css';
import { useKeys } from './use-keys';

const SAID_MS = 2000;

export function CopyLink(): ReactElement {
  const [said, setSaid] = useState<string>();
  useEffect(() => {
    if (said !== undefined) {
      const timer = setTimeout(() => {
        setSaid(undefined);
      }, SAID_MS);
      return () => {
        clearTimeout(timer);
      };
    }
    return undefined;
  }, [said]);
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(window.location.href);
      setSaid('Copied');
    } catch {
      // Browsers give the clipboard to pages of https and of this host only.
      setSaid('Copy it from the address bar');
    }
  };
  useKeys({ y: () => void copy() });
  return (
    <span className={styles.share}>
      <Button
        icon="link"
        label="Copy a link to this view"
        title="Copy a link to this view (y)"
        onClick={() => void copy()}
      />
      <span role="status" className={styles.said} data-testid="copied">
        {said}
      </span>
    </span>
  );
}
