// What every view has around it: header, what is the matter with the link, keys, overlays. Which view is
// shown follows from the place; each but the first is loaded when it is first gone to.
import { lazy, Suspense, useRef, type ReactElement } from 'react';
import { CommandPalette } from '../components/command-palette';
import { Header } from '../components/header';
import { KeysHelp } from '../components/keys-help';
import { LinkBanner } from '../components/link-banner';
import { TokenForm } from '../components/token-form';
import { useKeys } from '../components/use-keys';
import { isGone } from '../domain/link';
import { HOST, LISTENERS, OVERVIEW } from '../domain/place';
import { useChanges } from '../store/notifier';
import type { Theme } from '../store/settings';
import { useStores, type Stores } from '../store/stores';
import { commandsForTyped, commandsOf } from './commands';
import { Missing } from './missing';
import { Overview } from './overview';
import styles from './shell.module.css';

const Connections = lazy(() => import('./connections'));
const Connection = lazy(() => import('./connection'));
const Failures = lazy(() => import('./failures'));
const Groups = lazy(() => import('./groups'));
const Host = lazy(() => import('./host'));
const Listeners = lazy(() => import('./listeners'));
const Packets = lazy(() => import('./packets'));

const NEXT_THEME: Record<Theme, Theme> = { light: 'system', system: 'dark', dark: 'light' };

export function Shell(): ReactElement {
  const stores = useStores();
  const { link, overlay } = stores;
  useChanges(link);
  useChanges(overlay);
  useShellKeys(stores);
  const view = useRef<HTMLElement>(null);
  const close = (): void => {
    overlay.show(undefined);
  };
  return (
    <div className={styles.page}>
      <Header
        onSkip={() => {
          const inView = view.current?.querySelector<HTMLElement>('[tabindex="0"]');
          (inView ?? view.current)?.focus();
        }}
      />
      <LinkBanner url={window.location.origin} />
      <TokenForm />
      <main ref={view} className={styles.view} tabIndex={-1} data-stale={isGone(link.state)}>
        <Suspense fallback={null}>
          <View />
        </Suspense>
      </main>
      {overlay.open === 'palette' && (
        <CommandPalette
          commands={commandsOf(stores)}
          commandsFor={(typed) => commandsForTyped(stores, typed)}
          onClose={close}
        />
      )}
      {overlay.open === 'keys' && <KeysHelp onClose={close} />}
    </div>
  );
}

function useShellKeys({ place, overlay, settings }: Stores): void {
  useKeys(
    {
      'g o': () => {
        place.go(OVERVIEW);
      },
      'g c': () => {
        place.go(place.connections);
      },
      'g g': () => {
        place.go(place.groups);
      },
      'g p': () => {
        place.go(place.packets);
      },
      'g f': () => {
        place.go(place.failures);
      },
      'g l': () => {
        place.go(LISTENERS);
      },
      'g h': () => {
        place.go(HOST);
      },
      '?': () => {
        overlay.show('keys');
      },
      t: () => {
        settings.change({ theme: NEXT_THEME[settings.settings.theme] });
      },
    },
    () => {
      overlay.show(overlay.open === 'palette' ? undefined : 'palette');
    },
  );
}

function View(): ReactElement {
  const { place } = useStores();
  useChanges(place);
  const { current } = place;
  switch (current.view) {
    case 'overview':
      return <Overview />;
    case 'connections':
      return <Connections place={current} />;
    case 'connection':
      return <Connection place={current} />;
    case 'packets':
      return <Packets place={current} />;
    case 'groups':
      return <Groups place={current} />;
    case 'failures':
      return <Failures place={current} />;
    case 'listeners':
      return <Listeners />;
    case 'host':
      return <Host />;
    case 'missing':
      return <Missing path={current.path} />;
  }
}
