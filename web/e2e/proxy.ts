// A network between browser and daemon that can stall: nothing is lost, and nothing arrives, no end either.
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** Passes bytes on to the daemon, and none while it stalls. */
export async function openStallingProxy(urlOfDaemon: string): Promise<{
  url: string;
  stall: (on: boolean) => void;
  close: () => void;
}> {
  const { hostname, port } = new URL(urlOfDaemon);
  const sockets = new Set<Socket>();
  let isStalled = false;
  /** Their other ends are closed, of which they hear when the network goes on. */
  const ended = new Set<Socket>();
  const server: Server = createServer((browser) => {
    const daemon = connect(Number(port), hostname);
    for (const [from, to] of [
      [browser, daemon],
      [daemon, browser],
    ] as const) {
      sockets.add(from);
      from.on('error', () => from.destroy());
      from.on('close', () => {
        sockets.delete(from);
        if (isStalled) {
          ended.add(to);
        } else {
          to.destroy();
        }
      });
      from.pipe(to);
      if (isStalled) {
        from.pause();
      }
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stall: (on) => {
      isStalled = on;
      for (const socket of sockets) {
        if (on) {
          socket.pause();
        } else {
          socket.resume();
        }
      }
      if (!on) {
        destroyAll(ended);
      }
    },
    close: () => {
      isStalled = false;
      destroyAll(sockets);
      destroyAll(ended);
      server.close();
    },
  };
}

function destroyAll(sockets: Set<Socket>): void {
  for (const socket of sockets) {
    socket.destroy();
  }
  sockets.clear();
}
