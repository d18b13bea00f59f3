// Time and chance: a function of where the workflow stands in its journal, and of nothing else.

import { ByteArray, IsView, RangeError_, TypeError_, TypedArrayTag } from 'pp:primordials';
import { define } from 'pp:errors';

export function installTimeAndChance(native) {
  // The clock of Date itself is the engine's, and asks the host.
  define(Math, 'random', function random() {
    return native.random();
  });
  define(globalThis, 'performance', { now: () => native.now(), timeOrigin: 0 });
}

const INTEGERS = {
  __proto__: null,
  Int8Array: 1, Uint8Array: 1, Uint8ClampedArray: 1, Int16Array: 1, Uint16Array: 1, Int32Array: 1, Uint32Array: 1, BigInt64Array: 1, BigUint64Array: 1,
};

// As in browsers: 64 KiB at once.
const MOST = 65_536;

export function randomValues(native, array) {
  if (!IsView(array) || !INTEGERS[TypedArrayTag(array)]) throw new TypeError_('getRandomValues: the argument has to be a typed array of integers');
  if (array.byteLength > MOST) throw new RangeError_(`getRandomValues: ${array.byteLength} bytes are more than ${MOST}`);
  const bytes = new ByteArray(array.buffer, array.byteOffset, array.byteLength);
  const random = native.randomBytes(array.byteLength);
  for (let index = 0; index < random.length; index += 1) bytes[index] = random[index];
  return array;
}

const HEX = '0123456789abcdef';

export function randomUUID(native) {
  const bytes = native.randomBytes(16);
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  let text = '';
  for (let index = 0; index < 16; index += 1) {
    if (index === 4 || index === 6 || index === 8 || index === 10) text += '-';
    text += HEX[bytes[index] >> 4] + HEX[bytes[index] & 15];
  }
  return text;
}
