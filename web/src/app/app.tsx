// The page as a whole: stores for every component, a session with the daemon, the theme.
import type { Transport } from '@connectrpc/connect';
import { useEffect, type ReactElement } from 'react';
import { Dashboard } from '../routes/dashboard';
import { useChanges } from '../store/notifier';
import { StoresContext, type Stores } from '../store/stores';
import { startSession } from './session';

export function App({ stores, transport }: { stores: Stores; transport: Transport }): ReactElement {
  useEffect(() => startSession(stores, transport), [stores, transport]);
  useTheme(stores);
  return (
    <StoresContext value={stores}>
      <Dashboard />
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
