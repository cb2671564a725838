// All stores of one page, made together, and the hook by which components reach them.
import { createContext, useContext } from 'react';
import { ClockStore } from './clock';
import { LiveStore } from './live';
import { OrderStore } from './order';
import { PacketStore } from './packets';
import { SelectionStore } from './selection';
import { SettingsStore } from './settings';
import { StatusStore } from './status';
import { TokenStore } from './token';

export interface Stores {
  readonly live: LiveStore;
  readonly order: OrderStore;
  readonly selection: SelectionStore;
  readonly packets: PacketStore;
  readonly status: StatusStore;
  readonly settings: SettingsStore;
  readonly token: TokenStore;
  readonly clock: ClockStore;
}

/** `storage` lasts, `session` ends with the tab. */
export function createStores(storage: Storage | undefined, session?: Storage): Stores {
  const live = new LiveStore();
  return {
    live,
    order: new OrderStore(live),
    selection: new SelectionStore(live),
    packets: new PacketStore(),
    status: new StatusStore(),
    settings: new SettingsStore(storage),
    token: new TokenStore(session),
    clock: new ClockStore(),
  };
}

/** Starts what runs by itself; the returned function stops it. */
export function startStores(stores: Stores): () => void {
  const stops = [stores.order.start(), stores.selection.start(), stores.clock.start()];
  return () => {
    for (const stop of stops) {
      stop();
    }
  };
}

export const StoresContext = createContext<Stores | undefined>(undefined);

export function useStores(): Stores {
  const stores = useContext(StoresContext);
  if (stores === undefined) {
    throw new Error('stores are used outside of their provider');
  }
  return stores;
}
