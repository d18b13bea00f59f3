// Reads one JSON text a line, writes one canonical text a line. An independent implementation: no sorted copy of an
// object is made, so that no property order and no prototype can get in the way.
import { createInterface } from "node:readline";

function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const member = (key) => `${JSON.stringify(key)}:${canonical(value[key])}`;
  return `{${Object.keys(value).sort().map(member).join(",")}}`;
}

let out = "";
for await (const line of createInterface({ input: process.stdin })) out += `${canonical(JSON.parse(line))}\n`;
process.stdout.write(out);
