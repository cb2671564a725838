// Where the user is: the view, and what of it is in its URL, so that every view can be shared.
import type { ConnectionRef } from './connection';
import { isFailureKind, type FailureKind } from './failure';
import { DEFAULT_SORT, isSortColumn, type Sort } from './sort';
import { isGroupKind, type GroupKind } from './stats';

export interface ConnectionsPlace {
  readonly view: 'connections';
  /** In the daemon's filter language. */
  readonly filter: string;
  /** Also those that ended long ago and are still listed. */
  readonly showClosed: boolean;
  readonly sort: Sort;
  readonly selected: ConnectionRef | undefined;
}

export interface ConnectionPlace {
  readonly view: 'connection';
  readonly ref: ConnectionRef;
}

export interface PacketsPlace {
  readonly view: 'packets';
  /** In the daemon's filter language, about packets. */
  readonly filter: string;
}

export interface GroupsPlace {
  readonly view: 'groups';
  readonly by: GroupKind;
}

export interface FailuresPlace {
  readonly view: 'failures';
  readonly kind: FailureKind;
}

export type Place =
  | { readonly view: 'overview' }
  | ConnectionsPlace
  | ConnectionPlace
  | PacketsPlace
  | GroupsPlace
  | FailuresPlace
  | { readonly view: 'listeners' }
  | { readonly view: 'host' }
  /** A path that means nothing. */
  | { readonly view: 'missing'; readonly path: string };

export type View = Place['view'];

export const OVERVIEW: Place = { view: 'overview' };
export const CONNECTIONS: ConnectionsPlace = {
  view: 'connections',
  filter: '',
  showClosed: false,
  sort: DEFAULT_SORT,
  selected: undefined,
};
export const PACKETS: PacketsPlace = { view: 'packets', filter: '' };

export const GROUPS: GroupsPlace = { view: 'groups', by: 'process' };
export const FAILED: FailuresPlace = { view: 'failures', kind: 'all' };
export const LISTENERS: Place = { view: 'listeners' };
export const HOST: Place = { view: 'host' };

/** Reads a path and a query string. What the query does not say, or says wrongly, is as on a fresh page. */
export function parsePlace(path: string, search: string): Place {
  const query = new URLSearchParams(search);
  const [view = '', id, ...more] = path.split('/').filter(Boolean);
  const connection = parseRef(id, query.get('run'));
  if (more.length === 0 && id === undefined) {
    switch (view) {
      case '':
      case 'overview':
        return OVERVIEW;
      case 'connections':
        return {
          view: 'connections',
          filter: query.get('filter') ?? '',
          showClosed: query.get('closed') === 'shown',
          sort: parseSort(query.get('sort')),
          selected: parseRef(query.get('selected') ?? undefined, query.get('run')),
        };
      case 'packets':
        return { view: 'packets', filter: query.get('filter') ?? '' };
      case 'groups': {
        const by = query.get('by');
        return isGroupKind(by) ? { view: 'groups', by } : GROUPS;
      }
      case 'failures': {
        const kind = query.get('kind');
        return isFailureKind(kind) ? { view: 'failures', kind } : FAILED;
      }
      case 'listeners':
        return LISTENERS;
      case 'host':
        return HOST;
    }
  }
  if (view === 'connections' && more.length === 0 && connection !== undefined) {
    return { view: 'connection', ref: connection };
  }
  return { view: 'missing', path };
}

/** Path and query string. */
export function formatPlace(place: Place): string {
  const query = new URLSearchParams();
  switch (place.view) {
    case 'overview':
      return '/';
    case 'connections':
      if (place.filter !== '') {
        query.set('filter', place.filter);
      }
      if (place.showClosed) {
        query.set('closed', 'shown');
      }
      if (place.sort.column !== DEFAULT_SORT.column || place.sort.direction !== DEFAULT_SORT.direction) {
        query.set('sort', `${place.sort.direction === 'descending' ? '-' : ''}${place.sort.column}`);
      }
      if (place.selected !== undefined) {
        query.set('selected', String(place.selected.id));
        query.set('run', String(place.selected.instance));
      }
      return withQuery('/connections', query);
    case 'connection':
      query.set('run', String(place.ref.instance));
      return withQuery(`/connections/${place.ref.id}`, query);
    case 'packets':
      if (place.filter !== '') {
        query.set('filter', place.filter);
      }
      return withQuery('/packets', query);
    case 'groups':
      query.set('by', place.by);
      return withQuery('/groups', query);
    case 'failures':
      if (place.kind !== FAILED.kind) {
        query.set('kind', place.kind);
      }
      return withQuery('/failures', query);
    case 'listeners':
    case 'host':
      return `/${place.view}`;
    case 'missing':
      return place.path;
  }
}

/** The connection that is looked at, in whichever view. */
export function selectedIn(place: Place): ConnectionRef | undefined {
  switch (place.view) {
    case 'connections':
      return place.selected;
    case 'connection':
      return place.ref;
    case 'overview':
    case 'packets':
    case 'groups':
    case 'failures':
    case 'listeners':
    case 'host':
    case 'missing':
      return undefined;
  }
}

function withQuery(path: string, query: URLSearchParams): string {
  const text = query.toString();
  return text === '' ? path : `${path}?${text}`;
}

function parseSort(text: string | null): Sort {
  const descending = text?.startsWith('-') ?? false;
  const column = text?.slice(descending ? 1 : 0) ?? '';
  return isSortColumn(column) ? { column, direction: descending ? 'descending' : 'ascending' } : DEFAULT_SORT;
}

function parseRef(id: string | undefined, run: string | null): ConnectionRef | undefined {
  const number = /^\d{1,20}$/;
  return id !== undefined && run !== null && number.test(id) && number.test(run)
    ? { instance: BigInt(run), id: BigInt(id) }
    : undefined;
}
