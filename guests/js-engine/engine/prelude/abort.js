// Event, EventTarget, AbortController and AbortSignal. Without timers: AbortSignal.timeout is not there.

import { TypeError_ } from 'pp:primordials';
import { named } from 'pp:errors';

export function installAbort(native, global) {
  class Event {
    #prevented = false;

    constructor(type, options = {}) {
      this.type = String(type);
      this.cancelable = Boolean(options.cancelable);
      this.bubbles = false;
      this.target = null;
      this.currentTarget = null;
    }

    get defaultPrevented() {
      return this.#prevented;
    }

    preventDefault() {
      if (this.cancelable) this.#prevented = true;
    }

    stopPropagation() {}
    stopImmediatePropagation() {
      this.stopped = true;
    }
  }

  class EventTarget {
    #listeners = [];

    addEventListener(type, listener, options) {
      if (listener === null || listener === undefined) return;
      const once = typeof options === 'object' && Boolean(options?.once);
      if (!this.#listeners.some((one) => one.type === type && one.listener === listener)) this.#listeners.push({ type, listener, once });
    }

    removeEventListener(type, listener) {
      this.#listeners = this.#listeners.filter((one) => one.type !== type || one.listener !== listener);
    }

    dispatchEvent(event) {
      if (!(event instanceof Event)) throw new TypeError_('dispatchEvent: the argument has to be an Event');
      event.target = this;
      event.currentTarget = this;
      for (const one of this.#listeners.filter((each) => each.type === event.type)) {
        if (one.once) this.removeEventListener(one.type, one.listener);
        if (typeof one.listener === 'function') one.listener.call(this, event);
        else one.listener.handleEvent(event);
        if (event.stopped) break;
      }
      const handler = this[`on${event.type}`];
      if (typeof handler === 'function') handler.call(this, event);
      return !event.defaultPrevented;
    }
  }

  const key = Symbol('the right to make a signal');

  class AbortSignal extends EventTarget {
    #reason;
    #aborted = false;

    constructor(right) {
      super();
      if (right !== key) throw new TypeError_('Illegal constructor');
      this.onabort = null;
    }

    get aborted() {
      return this.#aborted;
    }

    get reason() {
      return this.#reason;
    }

    throwIfAborted() {
      if (this.#aborted) throw this.#reason;
    }

    static abort(reason) {
      const signal = new AbortSignal(key);
      AbortSignal.#end(signal, reason);
      return signal;
    }

    static any(signals) {
      const all = new AbortSignal(key);
      for (const signal of signals) {
        if (signal.aborted) {
          AbortSignal.#end(all, signal.reason);
          break;
        }
        signal.addEventListener('abort', () => AbortSignal.#end(all, signal.reason), { once: true });
      }
      return all;
    }

    static timeout() {
      throw named('NotAvailableError', 'AbortSignal.timeout is not there in a workflow: give the step a timeout, or race it with step.sleep');
    }

    static #end(signal, reason = new DOMException('This operation was aborted', 'AbortError')) {
      if (signal.#aborted) return;
      signal.#aborted = true;
      signal.#reason = reason;
      signal.dispatchEvent(new Event('abort'));
    }

    static end(right, signal, reason) {
      if (right === key) AbortSignal.#end(signal, reason);
    }
  }
  const endSignal = AbortSignal.end;
  delete AbortSignal.end;

  class AbortController {
    #signal = new AbortSignal(key);

    get signal() {
      return this.#signal;
    }

    abort(reason) {
      endSignal(key, this.#signal, reason);
    }
  }

  global('Event', Event);
  global('EventTarget', EventTarget);
  global('AbortSignal', AbortSignal);
  global('AbortController', AbortController);
}
