// The colours of the theme for what is drawn on a canvas, as the browser resolves them for light or dark.
import { useSyncExternalStore } from 'react';

export type Tone = 'sent' | 'received' | 'round-trip' | 'accent' | 'good' | 'warn' | 'bad' | 'still' | 'busy';
type Name =
  Tone | 'text' | 'text-muted' | 'text-faint' | 'line' | 'line-strong' | 'surface' | 'surface-sunken';

const known = new Map<Name, string>();
const listeners = new Set<() => void>();
let version = 0;
let probe: HTMLElement | undefined;

/** A colour as rgb(…). */
export function colour(name: Name): string {
  const seen = known.get(name);
  if (seen !== undefined) {
    return seen;
  }
  if (probe === undefined) {
    probe = document.createElement('span');
    probe.hidden = true;
    document.body.append(probe);
  }
  probe.style.color = `var(--${name})`;
  const resolved = getComputedStyle(probe).color;
  known.set(name, resolved);
  return resolved;
}

/** Renders again when the theme changes; the number is good as an effect's dependency. */
export function useThemeVersion(): number {
  return useSyncExternalStore(subscribe, () => version);
}

function changed(): void {
  known.clear();
  version += 1;
  for (const listener of listeners) {
    listener();
  }
}

let stopWatching: (() => void) | undefined;

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  stopWatching ??= watchTheme();
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) {
      stopWatching?.();
      stopWatching = undefined;
    }
  };
}

function watchTheme(): () => void {
  // What was resolved while nobody watched may be of another theme.
  known.clear();
  const system = window.matchMedia('(prefers-color-scheme: dark)');
  const choice = new MutationObserver(changed);
  system.addEventListener('change', changed);
  choice.observe(document.documentElement, { attributeFilter: ['data-theme'] });
  return () => {
    system.removeEventListener('change', changed);
    choice.disconnect();
  };
}
