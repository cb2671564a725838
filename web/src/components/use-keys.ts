// Keys that work wherever the focus is, except while text is typed. A key is a single one ("f"), or two
// after each other ("g o").
import { useEffect, useEffectEvent } from 'react';

/** The second key of a pair must follow within this time. */
const PAIR_MS = 1500;

export type KeyActions = Readonly<Partial<Record<string, () => void>>>;

/** The first key of a pair, and what came after it: one for all who listen, as the second key is none of a single one. */
let begun: { readonly event: KeyboardEvent; second: KeyboardEvent | undefined } | undefined;

/** `onPalette` is for Ctrl K, or ⌘ K, which works while text is typed too. */
export function useKeys(actions: KeyActions, onPalette?: () => void): void {
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
    const before = beginOf(event);
    const action = actions[before === undefined ? event.key : `${before} ${event.key}`];
    if (action !== undefined) {
      event.preventDefault();
      action();
    } else if (before === undefined && Object.keys(actions).some((key) => key.startsWith(`${event.key} `))) {
      begun = { event, second: undefined };
    }
  });
  useEffect(() => {
    document.addEventListener('keydown', press);
    return () => {
      document.removeEventListener('keydown', press);
    };
  }, []);
}

/** The first key of the pair whose second one this may be. */
function beginOf(event: KeyboardEvent): string | undefined {
  if (begun === undefined || begun.event === event || event.timeStamp - begun.event.timeStamp >= PAIR_MS) {
    return undefined;
  }
  begun.second ??= event;
  return begun.second === event ? begun.event.key : undefined;
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
