// A TCP connection on the loopback interface that the tests make themselves.
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { freePort } from './port';

export interface TestConnection {
  /** When connect() was called, by this host's clock. */
  readonly connectedAtMs: number;
  /** "address:port" of the side that connected. */
  readonly source: string;
  readonly destination: string;
  send: (bytes: number) => Promise<void>;
  close: () => Promise<void>;
}

/** Connects to a server of its own that reads everything and answers nothing. */
export async function openConnection(): Promise<TestConnection> {
  const server = createServer((peer) => {
    peer.resume();
    peer.on('error', () => peer.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const connectedAtMs = Date.now();
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  return {
    connectedAtMs,
    source: `127.0.0.1:${socket.localPort ?? 0}`,
    destination: `127.0.0.1:${port}`,
    send: (bytes) => send(socket, bytes),
    close: () => close(server, socket),
  };
}

/** Connects to a port where nobody listens; gives "address:port" of the side that tried. */
export async function failToConnect(): Promise<string> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  const localPort = await freePort();
  const socket = connect({ port, host: '127.0.0.1', localPort });
  await once(socket, 'error');
  return `127.0.0.1:${localPort}`;
}

function send(socket: Socket, bytes: number): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.write(Buffer.alloc(bytes), (error) => {
      if (error) {
        reject(error);
      } else {
        resolve();
      }
    });
  });
}

async function close(server: Server, socket: Socket): Promise<void> {
  socket.destroy();
  server.close();
  await once(server, 'close');
}
