// URL and URLSearchParams. Parsing is the engine's; this keeps the parts together.

import { String_, StringWellFormed, TypeError_ } from 'pp:primordials';

const PARTS = ['protocol', 'username', 'password', 'host', 'hostname', 'port', 'pathname', 'search', 'hash'];

export function installUrl(native, global) {
  const text = (value) => StringWellFormed(String_(value));
  const forPairs = Symbol('the query of a URL');

  class URLSearchParams {
    #pairs = [];
    #changed;

    constructor(init = '') {
      if (init?.[forPairs]) this.#changed = init[forPairs];
      else if (typeof init === 'object' && init !== null) this.#fill(init);
      else this.#pairs = native.queryPairs(text(init));
    }

    #fill(init) {
      if (typeof init[Symbol.iterator] === 'function') {
        for (const pair of init) {
          const [name, value, ...rest] = pair;
          if (value === undefined || rest.length) throw new TypeError_('URLSearchParams: each pair has to be of two texts');
          this.#pairs.push([text(name), text(value)]);
        }
      } else {
        for (const name of Reflect.ownKeys(init)) if (typeof name === 'string') this.#pairs.push([text(name), text(init[name])]);
      }
    }

    static read(params, query) {
      params.#pairs = native.queryPairs(query);
    }

    #update() {
      this.#changed?.(this.toString());
    }

    get size() {
      return this.#pairs.length;
    }

    append(name, value) {
      this.#pairs.push([text(name), text(value)]);
      this.#update();
    }

    delete(name, value) {
      this.#pairs = this.#pairs.filter((pair) => pair[0] !== text(name) || (value !== undefined && pair[1] !== text(value)));
      this.#update();
    }

    get(name) {
      return this.#pairs.find((pair) => pair[0] === text(name))?.[1] ?? null;
    }

    getAll(name) {
      return this.#pairs.filter((pair) => pair[0] === text(name)).map((pair) => pair[1]);
    }

    has(name, value) {
      return this.#pairs.some((pair) => pair[0] === text(name) && (value === undefined || pair[1] === text(value)));
    }

    set(name, value) {
      const wanted = text(name), first = this.#pairs.findIndex((pair) => pair[0] === wanted);
      if (first < 0) this.#pairs.push([wanted, text(value)]);
      else {
        this.#pairs[first] = [wanted, text(value)];
        this.#pairs = this.#pairs.filter((pair, index) => index <= first || pair[0] !== wanted);
      }
      this.#update();
    }

    sort() {
      this.#pairs.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
      this.#update();
    }

    forEach(callback, receiver) {
      for (const [name, value] of this.#pairs) callback.call(receiver, value, name, this);
    }

    *entries() {
      for (let index = 0; index < this.#pairs.length; index += 1) yield [this.#pairs[index][0], this.#pairs[index][1]];
    }

    *keys() {
      for (const [name] of this.entries()) yield name;
    }

    *values() {
      for (const [, value] of this.entries()) yield value;
    }

    [Symbol.iterator]() {
      return this.entries();
    }

    toString() {
      return native.queryText(this.#pairs);
    }

    get [Symbol.toStringTag]() {
      return 'URLSearchParams';
    }
  }
  const read = URLSearchParams.read;
  delete URLSearchParams.read;

  class URL {
    #href;
    #parts;
    #params;

    constructor(url, base) {
      const parsed = native.url(text(url), base === undefined ? undefined : text(base));
      if (!parsed) throw new TypeError_(`Invalid URL: ${text(url).slice(0, 200)}`);
      this.#take(parsed);
    }

    #take(parsed) {
      this.#href = parsed[0];
      this.#parts = {};
      for (let index = 0; index < PARTS.length; index += 1) this.#parts[PARTS[index]] = parsed[index + 2];
      this.#parts.origin = parsed[1];
    }

    static part(url, name) {
      return url.#parts[name];
    }

    static change(url, name, value) {
      const parsed = native.urlWith(url.#href, name, text(value));
      if (!parsed) return;
      url.#take(parsed);
      if (name === 'search' && url.#params) read(url.#params, url.#parts.search);
    }

    get href() {
      return this.#href;
    }

    set href(value) {
      const parsed = native.url(text(value), undefined);
      if (!parsed) throw new TypeError_(`Invalid URL: ${text(value).slice(0, 200)}`);
      this.#take(parsed);
      if (this.#params) read(this.#params, this.#parts.search);
    }

    get origin() {
      return this.#parts.origin;
    }

    get searchParams() {
      if (!this.#params) {
        const changed = (query) => {
          const parsed = native.urlWith(this.#href, 'search', query);
          if (parsed) this.#take(parsed);
        };
        this.#params = new URLSearchParams({ [forPairs]: changed });
        read(this.#params, this.#parts.search);
      }
      return this.#params;
    }

    toString() {
      return this.#href;
    }

    toJSON() {
      return this.#href;
    }

    static canParse(url, base) {
      return Boolean(native.url(text(url), base === undefined ? undefined : text(base)));
    }

    static parse(url, base) {
      return URL.canParse(url, base) ? new URL(url, base) : null;
    }

    get [Symbol.toStringTag]() {
      return 'URL';
    }
  }
  const { part, change } = URL;
  delete URL.part;
  delete URL.change;
  for (const name of PARTS) {
    Object.defineProperty(URL.prototype, name, {
      __proto__: null,
      get() { return part(this, name); },
      set(value) { change(this, name, value); },
      enumerable: true,
      configurable: true,
    });
  }

  global('URL', URL);
  global('URLSearchParams', URLSearchParams);
}
