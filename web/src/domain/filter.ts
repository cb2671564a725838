// Filters as the daemon is asked for them: what the user typed, with what the view adds to it, and the
// place of a mistake in what was typed.

/** Connections that ended stay in sight for a moment. */
const OPEN = 'open or idle < 10s';
/** What stands before the user's text in the filter of the connections view. */
const OPEN_AND = `(${OPEN}) and (`;

/** The filter of the connections view. */
export function filterOf(typed: string, showClosed: boolean): string {
  const text = typed.trim();
  if (showClosed) {
    return text;
  }
  return text === '' ? OPEN : `${OPEN_AND}${text})`;
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
  const before = showClosed ? 0 : OPEN_AND.length;
  const indent = typed.length - typed.trimStart().length;
  const at = column === undefined ? 0 : Number(column) - 1 - before + indent;
  return { column: Math.max(0, Math.min(at, typed.length)), message: words ?? message };
}

/** The filter, without what passes the other one. */
export function excluding(filter: string, by: string): string {
  return narrowed(filter, / and | or /.test(by) ? `not (${by})` : `not ${by}`);
}

/** Both filters together. */
export function narrowed(filter: string, by: string): string {
  const text = filter.trim();
  if (text === '') {
    return by;
  }
  // What holds already is not asked for twice.
  return text.split(' and ').includes(by) ? text : `${text.includes(' or ') ? `(${text})` : text} and ${by}`;
}
