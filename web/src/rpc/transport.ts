// The one way to the daemon: gRPC-Web in its binary form, to the address the page came from.
import { createClient, type Client, type Transport } from '@connectrpc/connect';
import { createGrpcWebTransport } from '@connectrpc/connect-web';
import { TcpViewerService } from '../gen/tcpviewer/v1/service_pb';

export type TcpViewerClient = Client<typeof TcpViewerService>;

export function createBrowserTransport(origin: string): Transport {
  return createGrpcWebTransport({ baseUrl: origin, useBinaryFormat: true });
}

export function createTcpViewerClient(transport: Transport): TcpViewerClient {
  return createClient(TcpViewerService, transport);
}
