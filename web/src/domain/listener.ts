// A socket of this host that waits for connections, and how full its queues are.
import type { Endpoint, Process } from './connection';

export interface Listener {
  /** The kernel's number of the socket; several may listen at one address. '0' where it is not to be had. */
  readonly socketCookie: string;
  /** Number of its network namespace; undefined where it is not known. Two may have listeners at one address. */
  readonly networkNamespace: string | undefined;
  readonly address: Endpoint;
  /** Whether an IPv6 socket takes IPv4 as well; undefined for IPv4, and where the kernel does not say. */
  readonly dualStack: boolean | undefined;
  /** Established connections that wait for the application to accept them. */
  readonly acceptQueue: number;
  /** How many may wait, less one. */
  readonly acceptQueueLimit: number | undefined;
  /** Handshakes that are not complete. */
  readonly synQueue: number | undefined;
  /** Packets of handshakes that were dropped here since the socket was made. */
  readonly drops: number | undefined;
  readonly userId: number;
  /** The process that holds it; undefined where nobody was found, or not yet. */
  readonly process: Process | undefined;
}

/** What its process belongs to: a container, by the part of its id that people use, else a unit. */
export function belongsTo({ process }: Listener): string | undefined {
  return process?.container?.slice(0, 12) ?? process?.unit;
}

/** How full the accept queue is, 1 where there is no room for one more; undefined where its limit is not known. */
export function queueShare({ acceptQueue, acceptQueueLimit }: Listener): number | undefined {
  // The kernel drops once more than the limit wait, so a limit of 0 has room for one.
  return acceptQueueLimit === undefined ? undefined : Math.min(1, acceptQueue / (acceptQueueLimit + 1));
}

/** What is wrong with it, or undefined: drops may be from long ago, so a queue that is filling up is worse. */
export function listenerTrouble(listener: Listener): 'filling' | 'dropped' | undefined {
  if ((queueShare(listener) ?? 0) >= 0.5) {
    return 'filling';
  }
  return (listener.drops ?? 0) > 0 ? 'dropped' : undefined;
}

/** Those with trouble first, the fullest and then the one that dropped most; the others by port. */
export function worstListenersFirst(listeners: readonly Listener[]): readonly Listener[] {
  const isFilling = (listener: Listener): number => (listenerTrouble(listener) === 'filling' ? 1 : 0);
  return [...listeners].sort(
    (left, right) =>
      isFilling(right) - isFilling(left) ||
      (right.drops ?? 0) - (left.drops ?? 0) ||
      left.address.port - right.address.port,
  );
}

/** A filter of the open connections that came to it. */
export function filterOfListener({ address }: Listener): string {
  const isAny = address.address === '0.0.0.0' || address.address === '::';
  const port = `destination.port == ${address.port}`;
  return isAny ? `open and ${port}` : `open and destination.host == ${address.address} and ${port}`;
}
