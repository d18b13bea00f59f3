// Writes the answers of this Node to the cases, in UTC. `--check` compares instead.
import { readFileSync, writeFileSync } from 'node:fs';
process.env.TZ = 'UTC';
const { answers } = await import('./cases.js');
const text = `${JSON.stringify(await answers(), null, 1)}\n`;
const file = new URL('answers.json', import.meta.url);
if (process.argv[2] !== '--check') writeFileSync(file, text);
else if (readFileSync(file, 'utf8') !== text) throw new Error('answers.json is not what this Node answers');
