/**
 * Reads answers off one keep-alive connection and calls `onAnswer` with each one's status. Knows Content-Length and
 * chunked bodies, which is what the targets send; chunk ends are found by the last chunk's bytes.
 */
export function createAnswerReader(onAnswer: (status: number) => void): (bytes: Buffer) => void {
  let head = '';
  let status = 0;
  let bodyLeft = 0;
  let chunkedTail: string | undefined;

  const end = () => {
    head = '';
    chunkedTail = undefined;
    onAnswer(status);
  };

  const readHead = (bytes: Buffer): void => {
    head += bytes.toString('latin1');
    const headEnd = head.indexOf('\r\n\r\n');
    if (headEnd < 0) return;
    status = Number(head.slice(9, 12));
    const body = head.slice(headEnd + 4);
    const length = /\r\ncontent-length: *(\d+)/i.exec(head.slice(0, headEnd))?.[1];
    if (length !== undefined) {
      bodyLeft = Number(length) - body.length;
      if (bodyLeft === 0) end();
      return;
    }
    chunkedTail = '';
    readChunks(body);
  };

  const readChunks = (text: string): void => {
    chunkedTail = ((chunkedTail ?? '') + text).slice(-7);
    if (chunkedTail.endsWith('0\r\n\r\n')) end();
  };

  return (bytes) => {
    if (chunkedTail !== undefined) return readChunks(bytes.toString('latin1'));
    if (bodyLeft === 0) return readHead(bytes);
    bodyLeft -= bytes.length;
    if (bodyLeft === 0) end();
  };
}
