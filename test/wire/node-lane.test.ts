import { expect, test } from 'vitest';
import { startLane } from './lane-rig.ts';

test('a request arrives with the target and the headers the gate gave, and its body', async () => {
  const lane = await startLane();
  const answer = await lane.request('POST /a?b=1 HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nContent-Length: 2\r\n\r\nhi');
  expect(answer).toMatchObject({ status: 200, body: 'ok' });
  const [request] = lane.upstream.requests();
  expect(request).toMatchObject({ line: 'POST /a?b=1 HTTP/1.1', body: 'hi' });
  expect(request?.headers).toMatchObject({ host: 'a', 'x-a': '1', 'x-user': 'verified', 'content-length': '2' });
});
