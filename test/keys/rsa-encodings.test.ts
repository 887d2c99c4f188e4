import { constants, generateKeyPairSync, hash, privateEncrypt, randomBytes, sign } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { algorithms, type JwsAlgorithm, prepareCheck } from '../../src/keys/algorithms.ts';

const text = 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9';
const bytes = Buffer.from(text);
const digestInfos = {
  RS256: ['sha256', '3031300d060960864801650304020105000420'],
  RS384: ['sha384', '3041300d060960864801650304020205000430'],
  RS512: ['sha512', '3051300d060960864801650304020305000440'],
} as const;

/** 2049: the modulus begins with a byte that is all but empty. */
const pairs = [2048, 2049, 3072].map((modulusLength) => {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength });
  const modulus = Buffer.from(publicKey.export({ format: 'jwk' }).n as string, 'base64url');
  return { name: `${modulusLength} bits`, publicKey, privateKey, length: modulus.length, modulus: toNumber(modulus) };
});
type Pair = (typeof pairs)[number];
const cases = pairs.flatMap((pair) =>
  (Object.keys(digestInfos) as (keyof typeof digestInfos)[]).map((name) => ({
    title: `${name}, ${pair.name}`,
    name,
    pair,
  })),
);

function toNumber(big: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(big).toString('hex')}`);
}

function toBytes(number: bigint, length: number): Buffer {
  return Buffer.from(number.toString(16).padStart(length * 2, '0'), 'hex');
}

function verdictOn(name: string, { publicKey }: Pair, signature: Uint8Array): unknown {
  return prepareCheck(algorithms.get(name) as JwsAlgorithm, publicKey)(text, signature);
}

/** Whatever is encoded here is signed with the real key: only the comparison of encodings stands in its way. */
function signed({ privateKey, length }: Pair, encoded: Uint8Array): Buffer {
  expect(encoded.length).toBe(length);
  return privateEncrypt({ key: privateKey, padding: constants.RSA_NO_PADDING }, encoded);
}

function framed(length: number, content: Uint8Array, { type = 1, fill = 0xff } = {}): Buffer {
  const frame = Buffer.alloc(length - content.length, fill);
  frame[0] = 0;
  frame[1] = type;
  frame[frame.length - 1] = 0;
  return Buffer.concat([frame, content]);
}

describe.each(cases)('$title', ({ name, pair }) => {
  const [digest, prefix] = digestInfos[name];
  const sum = hash(digest, bytes, 'buffer');
  const digestInfo = Buffer.concat([Buffer.from(prefix, 'hex'), sum]);
  const right = framed(pair.length, digestInfo);
  const signature = sign(digest, bytes, pair.privateKey);
  const withoutNull = (hex: string) =>
    Buffer.concat([
      Buffer.of(0x30, sum.length + 15),
      Buffer.of(0x30, 0x0b),
      Buffer.from(hex.slice(8, 30), 'hex'),
      Buffer.of(4, sum.length),
      sum,
    ]);
  const patched = (at: number, byte: number, of: Buffer = right) => {
    const copy = Buffer.from(of);
    copy[at] = byte;
    return copy;
  };

  test('a signature is valid, and the one that there is', () => {
    expect(verdictOn(name, pair, signature)).toBe(true);
    expect(signed(pair, right)).toEqual(signature);
  });

  test.each<[string, () => Buffer]>([
    [
      'garbage behind the digest, the padding shortened (Bleichenbacher, 2006)',
      () => Buffer.concat([framed(pair.length - 90, digestInfo), randomBytes(90)]),
    ],
    [
      'the shortest padding, garbage behind the digest',
      () =>
        Buffer.concat([framed(11 + digestInfo.length, digestInfo), randomBytes(pair.length - 11 - digestInfo.length)]),
    ],
    [
      'garbage where the parameters are',
      () => {
        const inner = Buffer.concat([Buffer.from(prefix.slice(8, 30), 'hex'), Buffer.of(4, 20), randomBytes(20)]);
        const info = Buffer.concat([Buffer.of(0x30, inner.length), inner, Buffer.of(4, sum.length), sum]);
        return framed(pair.length, Buffer.concat([Buffer.of(0x30, info.length), info]));
      },
    ],
    ['no parameters', () => framed(pair.length, withoutNull(prefix))],
    [
      'a length in BER’s long form',
      () => framed(pair.length, Buffer.concat([Buffer.of(0x30, 0x81), digestInfo.subarray(1)])),
    ],
    ['another hash’s name', () => framed(pair.length, patched(14, name === 'RS256' ? 3 : 1, digestInfo))],
    ['the digest alone', () => framed(pair.length, sum)],
    [
      'the digest of another text',
      () => framed(pair.length, Buffer.concat([digestInfo.subarray(0, -sum.length), hash(digest, 'other', 'buffer')])),
    ],
    ['a digest that differs in its last bit', () => patched(pair.length - 1, (right.at(-1) as number) ^ 1)],
    ['padding for encryption', () => framed(pair.length, digestInfo, { type: 2 })],
    ['padding of type 0', () => framed(pair.length, digestInfo, { type: 0, fill: 0 })],
    ['one byte of padding that is another', () => patched(20, 0xfe)],
    ['an early end of the padding', () => patched(20, 0x00)],
    ['no end of the padding', () => patched(pair.length - digestInfo.length - 1, 0xff)],
    ['nothing', () => Buffer.alloc(pair.length)],
  ])('is not to be had with the signer’s own key for %s', (_what, encode) => {
    const forged = signed(pair, encode());
    expect(verdictOn(name, pair, forged)).toBe(false);
  });

  test('a number that is none below the modulus is refused, though it stands for the same', () => {
    const number = toNumber(signature);
    const most = 1n << BigInt(8 * pair.length);
    for (const value of [
      0n,
      1n,
      pair.modulus - 1n,
      pair.modulus,
      pair.modulus + 1n,
      most - 1n,
      number + pair.modulus,
    ]) {
      if (value >= most) continue;
      const forged = toBytes(value, pair.length);
      expect(verdictOn(name, pair, forged)).toBe(false);
    }
  });

  test('another length is refused, also where the number is the same', () => {
    const zero = Buffer.alloc(1);
    for (const forged of [Buffer.alloc(0), zero, signature.subarray(1), signature.subarray(0, -1)]) {
      expect(verdictOn(name, pair, forged)).toBe(false);
    }
    expect(verdictOn(name, pair, Buffer.concat([zero, signature]))).toBe(false);
    expect(verdictOn(name, pair, Buffer.concat([signature, zero]))).toBe(false);
  });

  test('property: bytes that are altered, or made up, are refused', () => {
    const altered = fc
      .array(fc.tuple(fc.nat({ max: pair.length - 1 }), fc.integer({ min: 1, max: 255 })), {
        minLength: 1,
        maxLength: 4,
      })
      .map((changes) => {
        const forged = Buffer.from(signature);
        for (const [at, by] of changes) forged[at] = (forged[at] as number) ^ by;
        return forged;
      });
    const madeUp = fc.uint8Array({ minLength: pair.length, maxLength: pair.length });
    fc.assert(
      fc.property(fc.oneof(altered, madeUp), (forged) => {
        const same = signature.equals(forged);
        expect(verdictOn(name, pair, forged)).toBe(same);
      }),
      { numRuns: 60 },
    );
  });

  test('property: with one byte of the encoding changed, the signer’s key makes nothing valid', () => {
    const encoding = fc
      .tuple(fc.nat({ max: pair.length - 1 }), fc.nat({ max: 255 }))
      .map(([at, byte]) => patched(at, at === 0 ? 0 : byte));
    fc.assert(
      fc.property(encoding, (encoded) => {
        const forged = signed(pair, encoded);
        expect(verdictOn(name, pair, forged)).toBe(encoded.equals(right));
      }),
      { numRuns: 25 },
    );
  });
});

test('one check after another: what was expected of the last text is not expected of the next', () => {
  const [pair] = pairs as [Pair];
  const check = prepareCheck(algorithms.get('RS256') as JwsAlgorithm, pair.publicKey);
  const signatures = ['one', 'two'].map((one) => sign('sha256', Buffer.from(one), pair.privateKey)) as [Buffer, Buffer];
  expect([check('one', signatures[0]), check('two', signatures[0]), check('one', signatures[1])]).toEqual([
    true,
    false,
    false,
  ]);
  expect([check('two', signatures[1]), check('one', signatures[0])]).toEqual([true, true]);
});

test('the other ways of padding are no way around it: a PS256 signature is none of RS256, nor the other way about', () => {
  const [pair] = pairs as [Pair];
  const pss = { key: pair.privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 };
  expect(verdictOn('RS256', pair, sign('sha256', bytes, pss))).toBe(false);
  expect(verdictOn('PS256', pair, sign('sha256', bytes, pss))).toBe(true);
  expect(verdictOn('PS256', pair, sign('sha256', bytes, pair.privateKey))).toBe(false);
});
