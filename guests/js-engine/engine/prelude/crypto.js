// crypto: random numbers that follow from the instance's place in its journal, and digests.

import { ObjectFreeze } from 'pp:primordials';
import { named, printed } from 'pp:errors';
import { bytesOf } from 'pp:json';
import { randomUUID, randomValues } from 'pp:chance';

export function installCrypto(native, global) {
  const subtle = {
    async digest(algorithm, data) {
      const name = String(typeof algorithm === 'object' && algorithm !== null ? algorithm.name : algorithm).toUpperCase();
      const bytes = bytesOf(data);
      if (!bytes) throw named('TypeError', 'crypto.subtle.digest: the data has to be an ArrayBuffer or a typed array');
      const digest = native.digest(name, bytes);
      if (!digest) throw named('NotSupportedError', `crypto.subtle.digest: ${printed(name)} is not there: use SHA-256, SHA-384 or SHA-512`);
      return digest.buffer;
    },
  };
  global('crypto', ObjectFreeze({
    randomUUID: () => randomUUID(native),
    getRandomValues: (array) => randomValues(native, array),
    subtle: ObjectFreeze(subtle),
  }));
}
