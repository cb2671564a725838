// A port of the loopback for a daemon that a test starts itself.
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';

/** One that is free now; nothing keeps it free. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
