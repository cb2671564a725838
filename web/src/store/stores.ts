// All stores of one page, made together, and the hook by which components reach them.
import { createContext, useContext } from 'react';
import type { Recorder } from '../domain/recording';
import type { Feeds } from '../domain/topic';
import { ClockStore } from './clock';
import { ConnectionStore } from './connections';
import { GroupStore } from './groups';
import { LinkStore } from './link';
import { ListenerStore } from './listeners';
import { OrderStore } from './order';
import { OverlayStore } from './overlay';
import { OverviewStore } from './overview';
import { PacketStore } from './packets';
import { PlaceStore, type AddressBar } from './place';
import { RecordingStore } from './recording';
import { SelectionStore } from './selection';
import { SettingsStore } from './settings';
import { StatusStore } from './status';
import { TokenStore } from './token';
import { TrailStore } from './trails';
import { ViewportStore } from './viewport';

export interface Stores {
  readonly link: LinkStore;
  readonly place: PlaceStore;
  readonly status: StatusStore;
  readonly overview: OverviewStore;
  /** The connections that the overview names as the worst. */
  readonly unhealthy: ConnectionStore;
  /** The connections of the table. */
  readonly table: ConnectionStore;
  readonly order: OrderStore;
  readonly viewport: ViewportStore;
  readonly trails: TrailStore;
  readonly selection: SelectionStore;
  readonly packets: PacketStore;
  readonly groups: GroupStore;
  /** The connections that failed. */
  readonly failures: ConnectionStore;
  readonly listeners: ListenerStore;
  readonly recording: RecordingStore;
  readonly settings: SettingsStore;
  readonly token: TokenStore;
  readonly clock: ClockStore;
  readonly overlay: OverlayStore;
}

export interface Surroundings {
  readonly feeds: Feeds;
  readonly recorder: Recorder;
  /** Lasts. */
  readonly storage?: Storage;
  readonly token: TokenStore;
  readonly bar?: AddressBar;
}

export function createStores({ feeds, recorder, storage, token, bar }: Surroundings): Stores {
  const table = new ConnectionStore(feeds);
  return {
    link: new LinkStore(),
    place: new PlaceStore(bar),
    status: new StatusStore(),
    overview: new OverviewStore(),
    unhealthy: new ConnectionStore(feeds),
    table,
    order: new OrderStore(table),
    viewport: new ViewportStore(),
    trails: new TrailStore(table),
    selection: new SelectionStore(feeds, table),
    packets: new PacketStore(feeds),
    groups: new GroupStore(feeds),
    failures: new ConnectionStore(feeds),
    listeners: new ListenerStore(feeds),
    recording: new RecordingStore(recorder),
    settings: new SettingsStore(storage),
    token,
    clock: new ClockStore(),
    overlay: new OverlayStore(),
  };
}

/** Starts what runs by itself; the returned function stops it. */
export function startStores(stores: Stores): () => void {
  const stops = [stores.place.start(), stores.order.start(), stores.trails.start(), stores.clock.start()];
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
