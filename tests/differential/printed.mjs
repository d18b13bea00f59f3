// What the bodies of a program print on pp-host, and what of that is left when it is read.

const MARK = '\u0001trace ';

/** The module through which a program prints: one line for each attempt of a body, with the attempt's number. */
export const TRACE = `export const traced = () => (line, attempt) => console.log(${JSON.stringify(MARK)} + JSON.stringify([line, attempt]));\n`;

/**
 * The lines of all drives. An event that arrives before a step's start is written makes the next drive run the body again: that is one attempt
 * twice, at the end of a drive and at the beginning of the next.
 */
export function traced(lines) {
  const trace = [];
  let first = false;
  for (const line of lines) {
    if (line.startsWith('[drive of ')) first = true;
    if (!line.includes('trace [')) continue;
    const said = line.slice(line.indexOf('trace [') + 6);
    if (!first || said !== trace.at(-1)) trace.push(said);
    first = false;
  }
  return trace.map((said) => JSON.parse(said)[0]);
}
