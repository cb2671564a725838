// Filters as the daemon is asked for them: what the user typed, with what the view adds to it, and the
// place of a mistake in what was typed.

/** What stands before the user's text in the filter of the connections view. */
const OPEN_ONLY = 'open and (';

/** The filter of the connections view. */
export function filterOf(typed: string, showClosed: boolean): string {
  const text = typed.trim();
  if (showClosed) {
    return text;
  }
  return text === '' ? 'open' : `${OPEN_ONLY}${text})`;
}

/** What is wrong with a filter, and where: the daemon's own words. */
export interface FilterProblem {
  /** Counted from 0, in what the user typed. */
  readonly column: number;
  readonly message: string;
}

/** Reads "filter: column 17: connections have no field `prot`; …" for a text typed by the user. */
export function problemOf(message: string, typed: string, showClosed: boolean): FilterProblem {
  const [, column, words] = /column (\d+): ([\s\S]*)$/.exec(message) ?? [];
  const before = showClosed ? 0 : OPEN_ONLY.length;
  const indent = typed.length - typed.trimStart().length;
  const at = column === undefined ? 0 : Number(column) - 1 - before + indent;
  return { column: Math.max(0, Math.min(at, typed.length)), message: words ?? message };
}
