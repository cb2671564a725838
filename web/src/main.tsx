// Mounts the dashboard.
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import './app/tokens.css';
import './app/base.css';
import { App } from './app/app';
import { createBrowserTransport } from './rpc/transport';
import { createStores } from './store/stores';

const root = document.getElementById('root');
if (root !== null) {
  const stores = createStores(window.localStorage, window.sessionStorage);
  const transport = createBrowserTransport(window.location.origin, stores.token.current);
  createRoot(root).render(
    <StrictMode>
      <App stores={stores} transport={transport} />
    </StrictMode>,
  );
}
