import { onTestFinished } from 'vitest';
import { type Http2Client, openHttp2 } from '../../support/http2-client.ts';
import { type FrameClient, openFrameClient } from '../../support/http2-frames.ts';
import { localhostTls } from '../../support/tls.ts';
import { startTlsDoor, type TlsRig, type TlsRigOptions } from '../tls/tls-rig.ts';

export interface Http2Rig extends TlsRig {
  /** Node's client. */
  client(): Promise<Http2Client>;
  /** One that sends any frames. */
  frames(): Promise<FrameClient>;
}

/** The front door with TLS and HTTP/2, between clients and a raw upstream; all closed when the test is over. */
export async function startHttp2({
  maxStreams = 100,
  ...options
}: TlsRigOptions & { readonly maxStreams?: number } = {}): Promise<Http2Rig> {
  const rig = await startTlsDoor(localhostTls({ http2: { maxStreams } }), options);
  const { port } = rig;
  return {
    ...rig,
    async client() {
      const client = await openHttp2({ port });
      onTestFinished(client.close);
      return client;
    },
    async frames() {
      const client = await openFrameClient(port);
      onTestFinished(client.destroy);
      return client;
    },
  };
}
