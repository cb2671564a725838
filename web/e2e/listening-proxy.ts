// A way to the daemon on which everything passes as it is, and what the daemon tells by gRPC-Web is read along: the
// truth that a page is compared with.
import { once } from 'node:events';
import { createServer, request as ask, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fromBinary, type DescMessage, type MessageShape } from '@bufbuild/protobuf';
import {
  GetStatusResponseSchema,
  WatchBundleResponseSchema,
  type GetStatusResponse,
} from '../src/gen/tcpviewer/v1/service_pb';
import type { Stats } from '../src/gen/tcpviewer/v1/stats_pb';

/** A message begins with a byte of flags and four of its length. */
const HEAD_BYTES = 5;
const TRAILER = 0x80;

export interface ListeningProxy {
  readonly url: string;
  /** What the daemon told, oldest first. */
  readonly stats: readonly Stats[];
  readonly statuses: readonly GetStatusResponse[];
  readonly close: () => void;
}

export async function openListeningProxy(urlOfDaemon: string): Promise<ListeningProxy> {
  const stats: Stats[] = [];
  const statuses: GetStatusResponse[] = [];
  const listen = (path: string, answer: IncomingMessage): void => {
    if (path.endsWith('/WatchBundle')) {
      readMessages(answer, WatchBundleResponseSchema, ({ message }) => {
        if (message.case === 'stats' && message.value.stats !== undefined) {
          stats.push(message.value.stats);
        }
      });
    } else if (path.endsWith('/GetStatus')) {
      readMessages(answer, GetStatusResponseSchema, (status) => statuses.push(status));
    }
  };
  const server = createServer((request, response) => {
    const { method, url = '/', headers } = request;
    const asked = ask(new URL(url, urlOfDaemon), { method, headers });
    asked.on('response', (answer: IncomingMessage) => {
      listen(url, answer);
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      response.flushHeaders();
      answer.pipe(response);
    });
    asked.on('error', () => response.destroy());
    response.on('close', () => asked.destroy());
    request.pipe(asked);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stats,
    statuses,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

function readMessages<Schema extends DescMessage>(
  answer: IncomingMessage,
  schema: Schema,
  take: (message: MessageShape<Schema>) => void,
): void {
  let rest = Buffer.alloc(0);
  answer.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= HEAD_BYTES && rest.length >= HEAD_BYTES + rest.readUInt32BE(1)) {
      const end = HEAD_BYTES + rest.readUInt32BE(1);
      if ((rest.readUInt8(0) & TRAILER) === 0) {
        take(fromBinary(schema, rest.subarray(HEAD_BYTES, end)));
      }
      rest = rest.subarray(end);
    }
  });
}
