// The browser's address bar and history, for the store of the place.
import type { AddressBar } from '../store/place';

export function browserAddressBar(page: Window): AddressBar {
  return {
    path: () => page.location.pathname,
    search: () => page.location.search,
    push: (url) => {
      page.history.pushState(null, '', url);
    },
    replace: (url) => {
      page.history.replaceState(null, '', url);
    },
    listen: (moved) => {
      page.addEventListener('popstate', moved);
      return () => {
        page.removeEventListener('popstate', moved);
      };
    },
  };
}
