// The commands of the palette: every view, every switch, and what an address, a port or a number that was
// typed can mean.
import type { Command } from '../components/command-palette';
import { FAILURE_WORDS, FAILURES } from '../domain/failure';
import { CONNECTIONS, HOST, LISTENERS, OVERVIEW } from '../domain/place';
import { UNHEALTHY_FILTER } from '../domain/verdict';
import type { Theme } from '../store/settings';
import type { Stores } from '../store/stores';

const THEMES: readonly { readonly theme: Theme; readonly name: string }[] = [
  { theme: 'light', name: 'Light theme' },
  { theme: 'system', name: 'Theme of the system' },
  { theme: 'dark', name: 'Dark theme' },
];

export function commandsOf(stores: Stores): Command[] {
  const { place, settings, order, overlay } = stores;
  const filtered = (name: string, hint: string, filter: string, sort = CONNECTIONS.sort): Command => ({
    name,
    hint,
    run: () => {
      place.go({ ...CONNECTIONS, filter, sort });
    },
  });
  return [
    {
      name: 'Go to the overview',
      shortcut: 'g o',
      run: () => {
        place.go(OVERVIEW);
      },
    },
    {
      name: 'Go to connections',
      shortcut: 'g c',
      run: () => {
        place.go(place.connections);
      },
    },
    {
      name: 'Go to groups',
      hint: 'by process, container, peer, port',
      shortcut: 'g g',
      run: () => {
        place.go(place.groups);
      },
    },
    {
      name: 'Go to packets',
      shortcut: 'g p',
      run: () => {
        place.go(place.packets);
      },
    },
    {
      name: 'Go to failures',
      hint: 'refused, not answered, reset',
      shortcut: 'g f',
      run: () => {
        place.go(place.failures);
      },
    },
    {
      name: 'Go to listeners',
      hint: 'queues, and what was dropped there',
      shortcut: 'g l',
      run: () => {
        place.go(LISTENERS);
      },
    },
    {
      name: 'Go to the host',
      hint: "the kernel's counters",
      shortcut: 'g h',
      run: () => {
        place.go(HOST);
      },
    },
    filtered('Show connections with whom something is wrong', 'the worst verdicts', UNHEALTHY_FILTER, {
      column: 'verdict',
      direction: 'descending',
    }),
    filtered('Show connections that lose packets', 'retransmissions > 0', 'retransmissions > 0', {
      column: 'retransmissions',
      direction: 'descending',
    }),
    filtered('Show connections far away', 'rtt > 50ms', 'rtt > 50ms', {
      column: 'rtt',
      direction: 'descending',
    }),
    ...FAILURES.map((kind) => ({
      name: `Show failures: ${FAILURE_WORDS[kind].name.toLowerCase()}`,
      run: () => {
        place.go({ view: 'failures', kind });
      },
    })),
    {
      name: order.frozen ? 'Let the order of the rows move' : 'Freeze the order of the rows',
      shortcut: 'f',
      run: () => {
        order.setFrozen(!order.frozen);
      },
    },
    ...THEMES.map(({ theme, name }) => ({
      name,
      hint: settings.settings.theme === theme ? 'in use' : 'change the theme',
      run: () => {
        settings.change({ theme });
      },
    })),
    {
      name: 'Show the keys',
      shortcut: '?',
      run: () => {
        overlay.show('keys');
      },
    },
  ];
}

export function commandsForTyped({ place, status }: Stores, typed: string): Command[] {
  const text = typed.trim();
  const show = (filter: string): Command => ({
    name: `Show connections: ${filter}`,
    hint: 'filter',
    run: () => {
      place.go({ ...CONNECTIONS, filter });
    },
  });
  const commands: Command[] = [];
  const run = status.status?.instance;
  if (/^:?\d{1,5}$/.test(text)) {
    commands.push(show(`port ${text.replace(':', '')}`));
  }
  if (/^\d{1,20}$/.test(text) && run !== undefined) {
    commands.push({
      name: `Open connection ${text}`,
      hint: 'by its number',
      run: () => {
        place.go({ view: 'connection', ref: { instance: run, id: BigInt(text) } });
      },
    });
  }
  const [, address, port] = /^([0-9.]{7,15})(?::(\d{1,5}))?$/.exec(text) ?? [];
  if (address !== undefined) {
    commands.push(show(port === undefined ? `host ${address}` : `host ${address} and port ${port}`));
  } else if (/^[0-9a-f:]*:[0-9a-f:]+$/i.test(text) && (text.match(/:/g)?.length ?? 0) > 1) {
    commands.push(show(`host ${text}`));
  } else if (/[=<>~]| and | or |^not /.test(text)) {
    commands.push(show(text));
  }
  return commands;
}
