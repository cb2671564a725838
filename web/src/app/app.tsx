// The page as a whole: stores for every component, a session with the daemon, the theme.
import { useEffect, type ReactElement } from 'react';
import type { Feeds } from '../domain/topic';
import { Shell } from '../routes/shell';
import { useChanges } from '../store/notifier';
import { StoresContext, type Stores } from '../store/stores';
import { startSession } from './session';

export function App({ stores, feeds }: { stores: Stores; feeds: Feeds }): ReactElement {
  useEffect(() => startSession(stores, feeds, document), [stores, feeds]);
  useTheme(stores);
  return (
    <StoresContext value={stores}>
      <Shell />
    </StoresContext>
  );
}

function useTheme({ settings }: Stores): void {
  useChanges(settings);
  const { theme } = settings.settings;
  useEffect(() => {
    document.documentElement.dataset.theme = theme;
  }, [theme]);
}
