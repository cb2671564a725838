// What the daemon is asked for each topic: one call per topic, and its messages as the plain bodies
// of domain/. A source ends or fails with its call; asking again is the feed's part.
import type { ResumePoint } from '../domain/connection';
import type { ConnectionsTopic, ConnectionTopic, FeedBody, PacketsTopic, Topic } from '../domain/topic';
import { GroupBy } from '../gen/tcpviewer/v1/stats_pb';
import { toConnection } from './convert';
import { toMilliseconds } from './convert-values';
import { toNotablePacket, toPoint } from './convert-history';
import { toListener } from './convert-listener';
import { toPacketBatch } from './convert-packet';
import { GROUP_KINDS, toStats } from './convert-stats';
import { toStatus } from './convert-status';
import { wait } from './retry';
import type { TcpViewerClient } from './transport';

const STATUS_INTERVAL_MS = 1000;
const LISTENERS_INTERVAL_MS = 2000;
const STATUS_TIMEOUT_MS = 5000;
/** The groups that the overview shows. */
const GROUPS = [GroupBy.PROCESS, GroupBy.PEER, GroupBy.PORT, GroupBy.CONTAINER];
const GROUPS_SHOWN = 8;
/** Groups that the view of groups shows at most. */
const ALL_GROUPS_SHOWN = 200;

export interface Told {
  readonly body: FeedBody;
  readonly sentAtMs: number | undefined;
  /** Whether the link is up with this message, and not still on its way to be. */
  readonly live: boolean;
}

export interface Call {
  readonly client: TcpViewerClient;
  readonly signal: AbortSignal;
  /** Where an earlier call of the same topic was broken off. */
  readonly resume: ResumePoint | undefined;
}

export function ask(topic: Topic, call: Call): AsyncIterable<Told> {
  switch (topic.kind) {
    case 'status':
      return askStatus(call);
    case 'stats':
      return askStats(GROUPS, GROUPS_SHOWN, call);
    case 'listeners':
      return askListeners(call);
    case 'groups':
      return askStats([GROUP_KINDS[topic.by]], ALL_GROUPS_SHOWN, call);
    case 'connections':
      return askConnections(topic, call);
    case 'connection':
      return askConnection(topic, call);
    case 'packets':
      return askPackets(topic, call);
  }
}

async function* askStatus({ client, signal }: Call): AsyncIterable<Told> {
  while (!signal.aborted) {
    const status = toStatus(await client.getStatus({}, { signal, timeoutMs: STATUS_TIMEOUT_MS }));
    yield { body: { kind: 'status', status }, sentAtMs: status.nowMs, live: true };
    await wait(STATUS_INTERVAL_MS, signal);
  }
}

async function* askListeners({ client, signal }: Call): AsyncIterable<Told> {
  while (!signal.aborted) {
    const { listeners } = await client.listListeners({}, { signal, timeoutMs: STATUS_TIMEOUT_MS });
    yield {
      body: { kind: 'listeners', listeners: listeners.map(toListener) },
      sentAtMs: undefined,
      live: true,
    };
    await wait(LISTENERS_INTERVAL_MS, signal);
  }
}

async function* askStats(groupBy: GroupBy[], top: number, { client, signal }: Call): AsyncIterable<Told> {
  for await (const { stats } of client.watchStats({ groupBy, top }, { signal })) {
    if (stats !== undefined) {
      yield {
        body: { kind: 'stats', stats: toStats(stats) },
        sentAtMs: toMilliseconds(stats.at),
        live: true,
      };
    }
  }
}

async function* askConnections(topic: ConnectionsTopic, call: Call): AsyncIterable<Told> {
  const { filter, orderBy, offset, limit } = topic;
  const request = {
    filter,
    orderBy,
    offset,
    limit,
    ...(call.resume === undefined ? {} : { resume: call.resume }),
  };
  for await (const { event } of call.client.watchConnections(request, { signal: call.signal })) {
    switch (event.case) {
      case 'snapshot': {
        const { first, connections } = event.value;
        yield {
          body: { kind: 'snapshot', first, connections: connections.map(toConnection) },
          sentAtMs: undefined,
          live: false,
        };
        break;
      }
      case 'snapshotEnd': {
        const { instance, revision, total } = event.value;
        yield {
          body: { kind: 'snapshot-end', at: { instance, revision }, total: Number(total) },
          sentAtMs: undefined,
          live: true,
        };
        break;
      }
      case 'changes': {
        const { instance, revision, connections, removed, sentAt, total, order } = event.value;
        yield {
          body: {
            kind: 'changes',
            at: { instance, revision },
            connections: connections.map(toConnection),
            removed,
            total: Number(total),
            order: order.length > 0 ? order : undefined,
          },
          sentAtMs: toMilliseconds(sentAt),
          live: true,
        };
        break;
      }
      case 'heartbeat': {
        const { instance, revision, sentAt } = event.value;
        yield {
          body: { kind: 'heartbeat', at: { instance, revision } },
          sentAtMs: toMilliseconds(sentAt),
          live: true,
        };
        break;
      }
      case undefined:
    }
  }
}

async function* askConnection({ id }: ConnectionTopic, { client, signal }: Call): AsyncIterable<Told> {
  let first = true;
  for await (const message of client.watchConnection({ id }, { signal })) {
    const { connection, points, packets, missedPackets, gone } = message;
    yield {
      body: {
        kind: 'detail',
        first,
        connection: connection && toConnection(connection),
        points: points.map(toPoint),
        packets: packets.map(toNotablePacket),
        missedPackets: Number(missedPackets),
        gone,
      },
      sentAtMs: undefined,
      live: true,
    };
    first = false;
  }
}

async function* askPackets(topic: PacketsTopic, call: Call): AsyncIterable<Told> {
  const { filter, last, connectionId } = topic;
  const request = { filter, last, ...(connectionId === undefined ? {} : { connectionId }) };
  let begun = false;
  for await (const message of call.client.watchPackets(request, { signal: call.signal })) {
    if (!begun) {
      begun = true;
      yield { body: { kind: 'packets-begin' }, sentAtMs: undefined, live: true };
    }
    yield { body: { kind: 'packets', batch: toPacketBatch(message) }, sentAtMs: undefined, live: true };
  }
}
