// The one way to the daemon: gRPC-Web in its binary form, to the address the page came from, with
// the token that the user has given, if there is one.
import { createClient, type Client, type Interceptor, type Transport } from '@connectrpc/connect';
import { createGrpcWebTransport } from '@connectrpc/connect-web';
import { TcpViewerService } from '../gen/tcpviewer/v1/service_pb';

export type TcpViewerClient = Client<typeof TcpViewerService>;

/** `token` is asked before each call. */
export function createBrowserTransport(origin: string, token: () => string | undefined): Transport {
  return createGrpcWebTransport({
    baseUrl: origin,
    useBinaryFormat: true,
    interceptors: [withToken(token)],
  });
}

export function withToken(token: () => string | undefined): Interceptor {
  return (next) => (request) => {
    const shown = token();
    if (shown !== undefined) {
      request.header.set('authorization', `Bearer ${shown}`);
    }
    return next(request);
  };
}

export function createTcpViewerClient(transport: Transport): TcpViewerClient {
  return createClient(TcpViewerService, transport);
}
