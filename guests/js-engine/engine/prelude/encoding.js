// TextEncoder and TextDecoder for UTF-8, atob and btoa.

import { ByteArray, RangeError_, TypeError_, String_, StringWellFormed } from 'pp:primordials';
import { bytesOf } from 'pp:json';

export function installEncoding(native, global) {
  class TextEncoder {
    get encoding() {
      return 'utf-8';
    }

    encode(text = '') {
      return native.encode(StringWellFormed(String_(text)));
    }

    encodeInto(text, target) {
      if (!(target instanceof ByteArray)) throw new TypeError_('encodeInto: the target has to be a Uint8Array');
      let read = 0, written = 0;
      for (const character of String_(text)) {
        const bytes = native.encode(StringWellFormed(character));
        if (written + bytes.length > target.length) break;
        target.set(bytes, written);
        written += bytes.length;
        read += character.length;
      }
      return { read, written };
    }
  }

  class TextDecoder {
    #fatal;
    #ignoreBOM;
    #kept = new ByteArray(0);
    #begun = false;

    constructor(label = 'utf-8', options = {}) {
      const name = String_(label).trim().toLowerCase();
      if (name !== 'utf-8' && name !== 'utf8' && name !== 'unicode-1-1-utf-8') throw new RangeError_(`TextDecoder: ${name} is not there: use utf-8`);
      this.#fatal = Boolean(options?.fatal);
      this.#ignoreBOM = Boolean(options?.ignoreBOM);
    }

    get encoding() {
      return 'utf-8';
    }

    get fatal() {
      return this.#fatal;
    }

    get ignoreBOM() {
      return this.#ignoreBOM;
    }

    decode(data, options = {}) {
      let bytes = data === undefined ? new ByteArray(0) : bytesOf(data);
      if (!bytes) throw new TypeError_('decode: the data has to be an ArrayBuffer or a typed array');
      if (this.#kept.length) {
        const joined = new ByteArray(this.#kept.length + bytes.length);
        joined.set(this.#kept);
        joined.set(bytes, this.#kept.length);
        bytes = joined;
      }
      const cut = options?.stream ? unfinished(bytes) : 0;
      this.#kept = cut ? bytes.slice(bytes.length - cut) : new ByteArray(0);
      let text = native.decode(cut ? bytes.subarray(0, bytes.length - cut) : bytes, this.#fatal);
      if (text === undefined) throw new TypeError_('decode: the data is not UTF-8');
      if (!this.#begun && !this.#ignoreBOM && text.charCodeAt(0) === 0xfeff) text = text.slice(1);
      this.#begun = Boolean(options?.stream) && (this.#begun || text.length > 0);
      return text;
    }
  }

  global('TextEncoder', TextEncoder);
  global('TextDecoder', TextDecoder);
}

// How many bytes at the end begin a character that has not come whole yet.
function unfinished(bytes) {
  const length = bytes.length;
  for (let back = 1; back <= 3 && back <= length; back += 1) {
    const byte = bytes[length - back];
    if ((byte & 0xc0) === 0x80) continue;
    const needed = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return needed > back ? back : 0;
  }
  return 0;
}
