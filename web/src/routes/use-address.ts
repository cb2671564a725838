// Keeps the URL and the view the same: reads it when the page opens and when the user goes back or
// forward, writes it when filter, sort or selection change. A selection can be gone back from.
import { useEffect } from 'react';
import { formatAddress, parseAddress } from '../domain/address';
import { useStores } from '../store/stores';

const WRITE_DELAY_MS = 200;

export function useAddress(): void {
  const { order, selection } = useStores();
  useEffect(() => {
    const read = (): void => {
      const address = parseAddress(window.location.search);
      order.setFilter(address.filter);
      order.setSort(address.sort);
      selection.select(address.selection);
    };
    const write = (): void => {
      timer = undefined;
      const address = { filter: order.filter, sort: order.sort, selection: selection.ref };
      const search = formatAddress(address);
      if (search !== window.location.search) {
        const opens =
          address.selection !== undefined && parseAddress(window.location.search).selection === undefined;
        const url = `${window.location.pathname}${search}`;
        if (opens) {
          window.history.pushState(null, '', url);
        } else {
          window.history.replaceState(null, '', url);
        }
      }
    };
    let timer: ReturnType<typeof setTimeout> | undefined;
    const writeSoon = (): void => {
      timer ??= setTimeout(write, WRITE_DELAY_MS);
    };
    read();
    const stops = [order.notifier.subscribe(writeSoon), selection.notifier.subscribe(writeSoon)];
    window.addEventListener('popstate', read);
    return () => {
      clearTimeout(timer);
      window.removeEventListener('popstate', read);
      for (const stop of stops) {
        stop();
      }
    };
  }, [order, selection]);
}
