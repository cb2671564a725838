// The feeds of a page: through the worker that all pages of this browser share, so that eight of them need no
// more connections than one, or straight from the daemon where the browser has no such workers.
import type { Feeds } from '../domain/topic';
import { bundled } from './bundle';
import { PortFeeds } from './port';
import { SharedFeeds } from './shared-feeds';
import { createBrowserTransport, createTcpViewerClient } from './transport';

/** The user's token, and when it changes. */
export interface TokenSource {
  current(): string | undefined;
  readonly notifier: { subscribe(changed: () => void): () => void };
}

export function openFeeds(token: TokenSource): Feeds {
  if (!Reflect.has(window, 'SharedWorker')) {
    const transport = createBrowserTransport(window.location.origin, () => token.current());
    return new SharedFeeds(bundled(createTcpViewerClient(transport)));
  }
  const worker = new SharedWorker(new URL('./shared-worker.ts', import.meta.url), {
    type: 'module',
    name: 'tcpviewer',
  });
  const feeds = new PortFeeds(worker.port);
  worker.port.start();
  feeds.setToken(token.current());
  token.notifier.subscribe(() => {
    feeds.setToken(token.current());
  });
  window.addEventListener('pagehide', () => {
    feeds.leave();
  });
  // A page that the browser kept while another was shown has left the worker.
  window.addEventListener('pageshow', ({ persisted }) => {
    if (persisted) {
      window.location.reload();
    }
  });
  return feeds;
}
