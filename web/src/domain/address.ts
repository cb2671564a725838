// What of the page is in its URL, so that a view can be shared: selection, filter and sort.
import type { ConnectionRef } from './connection';
import { NO_FILTER, type Filter } from './filter';
import { DEFAULT_SORT, isSortColumn, type Sort } from './sort';

export interface Address {
  readonly filter: Filter;
  readonly sort: Sort;
  readonly selection: ConnectionRef | undefined;
}

/** Reads a query string. What it does not say, or says wrongly, is as on a fresh page. */
export function parseAddress(search: string): Address {
  const query = new URLSearchParams(search);
  return {
    filter: { text: query.get('filter') ?? NO_FILTER.text, showClosed: query.get('closed') !== 'hidden' },
    sort: parseSort(query.get('sort')),
    selection: parseSelection(query.get('connection')),
  };
}

/** The query string with its question mark, or an empty one for a fresh page. */
export function formatAddress({ filter, sort, selection }: Address): string {
  const query = new URLSearchParams();
  if (filter.text !== '') {
    query.set('filter', filter.text);
  }
  if (!filter.showClosed) {
    query.set('closed', 'hidden');
  }
  if (sort.column !== DEFAULT_SORT.column || sort.direction !== DEFAULT_SORT.direction) {
    query.set('sort', sort.direction === 'descending' ? `-${sort.column}` : sort.column);
  }
  if (selection !== undefined) {
    query.set('connection', `${selection.instance}.${selection.id}`);
  }
  const text = query.toString();
  return text === '' ? '' : `?${text}`;
}

function parseSort(text: string | null): Sort {
  const descending = text?.startsWith('-') ?? false;
  const column = text?.slice(descending ? 1 : 0) ?? '';
  return isSortColumn(column) ? { column, direction: descending ? 'descending' : 'ascending' } : DEFAULT_SORT;
}

function parseSelection(text: string | null): ConnectionRef | undefined {
  const [, instance, id] = /^(\d{1,20})\.(\d{1,20})$/.exec(text ?? '') ?? [];
  return instance === undefined || id === undefined
    ? undefined
    : { instance: BigInt(instance), id: BigInt(id) };
}
