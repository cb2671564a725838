// From the generated sums to the plain types of domain/.
import type { Group, GroupKind, RttDistribution, Stats } from '../domain/stats';
import * as wire from '../gen/tcpviewer/v1/stats_pb';
import { known, toMilliseconds } from './convert-values';

const KINDS: Record<wire.GroupBy, GroupKind | undefined> = {
  [wire.GroupBy.UNSPECIFIED]: undefined,
  [wire.GroupBy.PEER]: 'peer',
  [wire.GroupBy.PORT]: 'port',
  [wire.GroupBy.INTERFACE]: 'interface',
  [wire.GroupBy.STATE]: 'state',
  [wire.GroupBy.PROCESS]: 'process',
  [wire.GroupBy.CONTAINER]: 'container',
  [wire.GroupBy.UNIT]: 'unit',
};

export const GROUP_KINDS: Record<GroupKind, wire.GroupBy> = {
  peer: wire.GroupBy.PEER,
  port: wire.GroupBy.PORT,
  interface: wire.GroupBy.INTERFACE,
  state: wire.GroupBy.STATE,
  process: wire.GroupBy.PROCESS,
  container: wire.GroupBy.CONTAINER,
  unit: wire.GroupBy.UNIT,
};

export function toStats(message: wire.Stats): Stats {
  return {
    atMs: toMilliseconds(message.at) ?? 0,
    connections: Number(message.connections),
    payloadBytesPerSecond: Number(message.payloadBytesPerSecond),
    packetsPerSecond: Number(message.packetsPerSecond),
    rtt: toDistribution(message.rtt),
    groups: message.groups.flatMap(({ by, groups, more }) => {
      const kind = known(KINDS, by, undefined);
      return kind === undefined ? [] : { by: kind, groups: groups.map(toGroup), more: Number(more) };
    }),
    hostCounters: message.hostCounters.map(({ name, meaning, total, perSecond }) => ({
      name,
      meaning,
      total: Number(total),
      perSecond,
    })),
  };
}

function toDistribution(message: wire.RttDistribution | undefined): RttDistribution | undefined {
  if (message === undefined) {
    return undefined;
  }
  return {
    connections: Number(message.connections),
    p50Us: message.p50Us,
    p90Us: message.p90Us,
    p99Us: message.p99Us,
    maxUs: message.maxUs,
    buckets: message.buckets.map(({ belowUs, connections }) => ({
      belowUs: Number(belowUs),
      connections: Number(connections),
    })),
  };
}

function toGroup(message: wire.Group): Group {
  return {
    name: message.name,
    connections: Number(message.connections),
    sentBytesPerSecond: Number(message.sentPayloadBytesPerSecond),
    receivedBytesPerSecond: Number(message.receivedPayloadBytesPerSecond),
    packetsPerSecond: Number(message.packetsPerSecond),
    payloadBytes: Number(message.payloadBytes),
    retransmissions: Number(message.retransmissions),
    rttUs: message.rttUs,
  };
}
