export function worker(name: string) {
  const code = `export default { fetch() { return new Response('hello from ${name}'); } };\n`;
  return { code, lines: code.split('\n').length - 1 };
}
