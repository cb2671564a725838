// Mounts the dashboard.
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import './app/tokens.css';
import './app/base.css';
import { browserAddressBar } from './app/address-bar';
import { App } from './app/app';
import { openFeeds } from './rpc/browser-feeds';
import { clientRecorder } from './rpc/recorder';
import { createBrowserTransport, createTcpViewerClient } from './rpc/transport';
import { createStores } from './store/stores';
import { TokenStore } from './store/token';

const root = document.getElementById('root');
if (root !== null) {
  const token = new TokenStore(window.sessionStorage);
  const feeds = openFeeds(token);
  const transport = createBrowserTransport(window.location.origin, token.current);
  const stores = createStores({
    feeds,
    recorder: clientRecorder(createTcpViewerClient(transport)),
    token,
    storage: window.localStorage,
    bar: browserAddressBar(window),
  });
  createRoot(root).render(
    <StrictMode>
      <App stores={stores} feeds={feeds} />
    </StrictMode>,
  );
}
