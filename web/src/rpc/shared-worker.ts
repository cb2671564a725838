// The worker that all pages of this dashboard in one browser share: it asks for each topic once, however many pages
// want it, and for all of them through one stream. Pages with different tokens share nothing.
import { bundled } from './bundle';
import { servePage } from './port';
import { SharedFeeds } from './shared-feeds';
import { createBrowserTransport, createTcpViewerClient } from './transport';

/** What of a shared worker's global scope is used; TypeScript knows either workers or pages. */
declare const self: {
  readonly location: Location;
  addEventListener(kind: 'connect', listener: (event: MessageEvent) => void): void;
};

const byToken = new Map<string | undefined, SharedFeeds>();

function feedsOf(token: string | undefined): SharedFeeds {
  let feeds = byToken.get(token);
  if (feeds === undefined) {
    const transport = createBrowserTransport(self.location.origin, () => token);
    feeds = new SharedFeeds(bundled(createTcpViewerClient(transport)));
    byToken.set(token, feeds);
  }
  return feeds;
}

self.addEventListener('connect', ({ ports: [port] }) => {
  if (port !== undefined) {
    const leave = servePage(port, feedsOf);
    // Browsers that tell it say so also of a page that crashed.
    port.addEventListener('close', leave);
    port.start();
  }
});
