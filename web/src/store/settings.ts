// What the user has arranged and wants to find again. Kept in the browser's local storage; without it the
// settings last as long as the page.
import { DEFAULT_COLUMNS, readColumns, type ShownColumn } from '../domain/column';
import { Notifier } from './notifier';

export type Theme = 'system' | 'dark' | 'light';
/** Minutes that the charts of the overview show. */
export type Span = 2 | 5 | 10;

export interface Settings {
  readonly theme: Theme;
  readonly spanMinutes: Span;
  readonly columns: readonly ShownColumn[];
  /** Filters of connections that were used, the newest first. */
  readonly recentFilters: readonly string[];
  /** Filters of connections that are kept. */
  readonly savedFilters: readonly string[];
}

const STORAGE_KEY = 'tcpviewer.settings';
const DEFAULTS: Settings = {
  theme: 'system',
  spanMinutes: 5,
  columns: DEFAULT_COLUMNS,
  recentFilters: [],
  savedFilters: [],
};
const RECENT_KEPT = 20;

export class SettingsStore {
  readonly notifier = new Notifier();
  readonly #storage: Storage | undefined;
  #settings: Settings;

  constructor(storage: Storage | undefined) {
    this.#storage = storage;
    this.#settings = read(storage);
  }

  get settings(): Settings {
    return this.#settings;
  }

  change(settings: Partial<Settings>): void {
    this.#settings = { ...this.#settings, ...settings };
    try {
      this.#storage?.setItem(STORAGE_KEY, JSON.stringify(this.#settings));
    } catch {
      // A full or forbidden storage must not break the page.
    }
    this.notifier.changedNow();
  }
}

/** The filters used lately, with this one as the newest. */
export function withRecent(recent: readonly string[], filter: string): readonly string[] {
  return [filter, ...recent.filter((other) => other !== filter)].slice(0, RECENT_KEPT);
}

function read(storage: Storage | undefined): Settings {
  let stored: unknown;
  try {
    stored = JSON.parse(storage?.getItem(STORAGE_KEY) ?? '{}');
  } catch {
    return DEFAULTS;
  }
  if (typeof stored !== 'object' || stored === null) {
    return DEFAULTS;
  }
  const { theme, spanMinutes, columns, recentFilters, savedFilters } = stored as Record<string, unknown>;
  return {
    theme: theme === 'dark' || theme === 'light' ? theme : DEFAULTS.theme,
    spanMinutes: spanMinutes === 2 || spanMinutes === 10 ? spanMinutes : DEFAULTS.spanMinutes,
    columns: readColumns(columns) ?? DEFAULTS.columns,
    recentFilters: readTexts(recentFilters),
    savedFilters: readTexts(savedFilters),
  };
}

function readTexts(stored: unknown): readonly string[] {
  return Array.isArray(stored) ? stored.filter((entry) => typeof entry === 'string') : [];
}
