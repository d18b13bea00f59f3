// The part of the web's interface that workflows use.

import { installEncoding } from 'pp:encoding';
import { installUrl } from 'pp:url';
import { installClone } from 'pp:clone';
import { installAbort } from 'pp:abort';
import { installCrypto } from 'pp:crypto';

export function installWeb(native, global) {
  installEncoding(native, global);
  installUrl(native, global);
  installClone(native, global);
  installAbort(native, global);
  installCrypto(native, global);
  global('self', globalThis);
  global('navigator', { userAgent: 'Cloudflare-Workers' });
}
