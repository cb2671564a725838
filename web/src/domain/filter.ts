// Which connections the table shows: a text that must occur in what the row says, and
// whether closed ones are shown.
import { isClosed, type Connection } from './connection';
import { formatEndpoint } from './format';
import { STATES } from './tcp-state';

export interface Filter {
  readonly text: string;
  readonly showClosed: boolean;
}

export const NO_FILTER: Filter = { text: '', showClosed: true };

/** Prepares a filter once, to be asked of many connections. Words are all required. */
export function compileFilter(filter: Filter): (connection: Connection) => boolean {
  const words = filter.text.toLowerCase().split(/\s+/).filter(Boolean);
  return (connection) => {
    if (!filter.showClosed && isClosed(connection)) {
      return false;
    }
    if (words.length === 0) {
      return true;
    }
    const text = searchText(connection);
    return words.every((word) => text.includes(word));
  };
}

function searchText(connection: Connection): string {
  const endpoints = `${formatEndpoint(connection.source)} ${formatEndpoint(connection.destination)}`;
  const state = `${STATES[connection.state].name} ${connection.state}`;
  return `${endpoints} ${connection.interface} ${state}`.toLowerCase();
}
