// Puts the address of this view on the clipboard.
import { useEffect, useState, type ReactElement } from 'react';
import { Button } from './button';

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
  return (
    <Button icon="link" title="Copy a link to this view" onClick={() => void copy()}>
      <span aria-live="polite">{said ?? 'Copy link'}</span>
    </Button>
  );
}
