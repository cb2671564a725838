// Connects the stores of a page with the daemon: starts the feeds, and turns what is on the
// screen into the one packet stream that is wished for.
import type { Transport } from '@connectrpc/connect';
import { NO_PACKETS, sameWish, type PacketWish } from '../domain/packet';
import { LiveFeed } from '../rpc/live';
import { PacketFeed } from '../rpc/packets';
import { StatusFeed } from '../rpc/status';
import { createTcpViewerClient } from '../rpc/transport';
import { startStores, type Stores } from '../store/stores';

/** Moving quickly through the rows must not open a stream for each of them. */
const WISH_DELAY_MS = 150;
const PANEL_PACKETS = 200;
const DETAILS_PACKETS = 50;

/** Runs until the returned function is called. */
export function startSession(stores: Stores, transport: Transport): () => void {
  const client = createTcpViewerClient(transport);
  const live = new LiveFeed(client, stores.live);
  const status = new StatusFeed(client, stores.status.update, document);
  const packets = new PacketFeed(client, stores.packets);
  const stopStores = startStores(stores);
  const stopWishes = followWishes(stores, packets);
  const stopToken = stores.token.notifier.subscribe(() => {
    live.retryNow();
    status.retryNow();
    packets.retryNow();
  });
  live.start();
  status.start();
  return () => {
    stopToken();
    stopWishes();
    live.stop();
    status.stop();
    packets.watch(NO_PACKETS);
    stopStores();
  };
}

/** One stream serves the packet panel and the details: of all connections while the panel shows all. */
export function packetWish(stores: Stores): PacketWish {
  const { packetsOpen, packetScope } = stores.settings.settings;
  const { ref } = stores.selection;
  const selected = ref !== undefined && ref.instance === stores.live.instance ? ref.id : undefined;
  if (packetsOpen && packetScope === 'all') {
    return { kind: 'all', last: PANEL_PACKETS };
  }
  if (selected === undefined) {
    return NO_PACKETS;
  }
  return { kind: 'connection', id: selected, last: packetsOpen ? PANEL_PACKETS : DETAILS_PACKETS };
}

function followWishes(stores: Stores, feed: PacketFeed): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let wish: PacketWish = NO_PACKETS;
  const follow = (): void => {
    stores.packets.restart();
    feed.watch(wish);
  };
  const changed = (): void => {
    const { ref } = stores.selection;
    if (ref !== undefined && stores.live.instance !== undefined && ref.instance !== stores.live.instance) {
      stores.packets.endFocus();
    } else {
      stores.packets.setFocus(ref?.id);
    }
    const next = packetWish(stores);
    if (!sameWish(next, wish)) {
      wish = next;
      clearTimeout(timer);
      timer = setTimeout(follow, WISH_DELAY_MS);
    }
  };
  const stopListening = stores.live.listen({
    upserted: () => undefined,
    removed: () => undefined,
    replaced: () => {
      changed();
      feed.retryNow();
    },
  });
  const stops = [
    stopListening,
    stores.selection.notifier.subscribe(changed),
    stores.settings.notifier.subscribe(changed),
  ];
  changed();
  return () => {
    clearTimeout(timer);
    for (const stop of stops) {
      stop();
    }
  };
}
