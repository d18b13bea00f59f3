// The module "cloudflare:workflows".

export { NonRetryableError } from 'pp:errors';
