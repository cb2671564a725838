// Keys that work wherever the focus is, except while text is typed. A key is a single one ("f"), or two
// after each other ("g o").
import { useEffect, useEffectEvent, useRef } from 'react';

/** The second key of a pair must follow within this time. */
const PAIR_MS = 1500;

export type KeyActions = Readonly<Partial<Record<string, () => void>>>;

/** `onPalette` is for Ctrl K, or ⌘ K, which works while text is typed too. */
export function useKeys(actions: KeyActions, onPalette?: () => void): void {
  const first = useRef<{ key: string; atMs: number }>(undefined);
  const press = useEffectEvent((event: KeyboardEvent) => {
    if (onPalette !== undefined && (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k') {
      event.preventDefault();
      onPalette();
      return;
    }
    // What is behind a dialog does not hear of keys.
    if (event.target instanceof Element && event.target.closest('dialog') !== null) {
      return;
    }
    const plain = !event.ctrlKey && !event.metaKey && !event.altKey && !event.defaultPrevented;
    if (!plain || isTyping(event.target) || (event.key === 'Enter' && isControl(event.target))) {
      return;
    }
    const before = first.current;
    first.current = undefined;
    const begun = before !== undefined && event.timeStamp - before.atMs < PAIR_MS;
    const action = (begun ? actions[`${before.key} ${event.key}`] : undefined) ?? actions[event.key];
    if (action !== undefined) {
      event.preventDefault();
      action();
    } else if (Object.keys(actions).some((key) => key.startsWith(`${event.key} `))) {
      first.current = { key: event.key, atMs: event.timeStamp };
    }
  });
  useEffect(() => {
    document.addEventListener('keydown', press);
    return () => {
      document.removeEventListener('keydown', press);
    };
  }, []);
}

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLTextAreaElement ||
    (target instanceof HTMLInputElement && target.type !== 'checkbox' && target.type !== 'radio')
  );
}

/** Enter on a button or a link is for that. */
function isControl(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest('button, a') !== null;
}
