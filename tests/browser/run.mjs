// The approval page in a real browser, with a virtual authenticator: invite, register, sign in, approve, deny, verify; and what is refused.
//
//   npm install --prefix tests/browser && node tests/browser/run.mjs
//
// PP_HOST names the program (default: target/debug/pp-host), CHROMIUM the browser, OUT the folder for pictures (default: target/browser).

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import puppeteer from "puppeteer-core";

const here = dirname(fileURLToPath(import.meta.url));
const root = resolve(process.env.PP_ROOT ?? join(here, "../.."));
const program = process.env.PP_HOST ?? join(root, "target/debug/pp-host");
const out = process.env.OUT ?? join(root, "target/browser");
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const guest = join(root, "tests/guests/tenant-workflow.wasm");
const data = mkdtempSync(join(tmpdir(), "pp-browser-"));
mkdirSync(out, { recursive: true });

const cli = (...args) => execFileSync(program, args, { env: { ...process.env, PP_HOST_DATA: data }, encoding: "utf8" });
const fails = (...args) => {
  try {
    cli(...args);
  } catch (error) {
    return error.stderr.toString();
  }
  assert.fail(`${args.join(" ")} did not fail`);
};
const done = (what) => console.log(`ok  ${what}`);

/** A page of another origin on the same host: nothing of ours. */
const foreign = createServer((_, response) => response.setHeader("content-type", "text/html").end("<!doctype html><title>x</title>"));
await new Promise((ready) => foreign.listen(0, "127.0.0.1", ready));
const port = await new Promise((ready) => {
  const probe = createServer().listen(0, "127.0.0.1", () => {
    const { port } = probe.address();
    probe.close(() => ready(port));
  });
});
const origin = `http://localhost:${port}`;
const elsewhere = `http://localhost:${foreign.address().port}`;

const serve = spawn(program, ["serve", "--listen", `127.0.0.1:${port}`], {
  env: { ...process.env, PP_HOST_DATA: data },
  stdio: ["ignore", "ignore", "pipe"],
});
const link = await new Promise((ready, failed) => {
  let said = "";
  serve.stderr.setEncoding("utf8").on("data", (more) => {
    said += more;
    const found = /(http:\/\/localhost:\d+\/register#pp_invite_[0-9a-f]{64})/.exec(said);
    if (found && said.includes("serving ")) ready(found[1]);
  });
  serve.on("exit", () => failed(new Error(`serve ended: ${said}`)));
});

const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu"],
});
const errors = [];

async function open() {
  const page = await browser.newPage();
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (![origin, elsewhere].includes(url.origin)) errors.push(`a request to ${url.origin}`);
  });
  return page;
}

const page = await open();
const cdp = await page.createCDPSession();
await cdp.send("WebAuthn.enable");
const { authenticatorId } = await cdp.send("WebAuthn.addVirtualAuthenticator", {
  options: {
    protocol: "ctap2",
    ctap2Version: "ctap2_1",
    transport: "internal",
    hasResidentKey: true,
    hasUserVerification: true,
    isUserVerified: true,
    automaticPresenceSimulation: true,
  },
});

/** Pictures in both schemes and both sizes, and no serious finding of axe in either scheme. */
async function look(name) {
  for (const scheme of ["light", "dark"]) {
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
    for (const [size, width, height] of [["desktop", 1180, 900], ["phone", 390, 844]]) {
      await page.setViewport({ width, height, deviceScaleFactor: 1 });
      await page.screenshot({ path: join(out, `${name}-${size}-${scheme}.png`), fullPage: true });
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `${name}: wider than the ${size} by ${wide} px`);
    }
    const findings = await (await isolated(axe)).evaluate(() => axe.run());
    const serious = findings.violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
    const told = serious.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ")}`);
    assert.deepEqual(told, [], `${name}, ${scheme}`);
  }
  await page.setViewport({ width: 1180, height: 900 });
}

/** The page's policy lets no script in but its own; the checker comes through the debugger. */
async function isolated(source) {
  await cdp.send("Page.setBypassCSP", { enabled: true });
  await page.evaluate(source);
  return page;
}

const text = (selector) => page.$eval(selector, (element) => element.textContent);
const said = async (words) => {
  await page.waitForFunction((words) => document.querySelector(".said")?.textContent.includes(words), {}, words);
};
const waiting = async (id) => {
  for (;;) {
    const lines = cli("approvals", "--json").trim().split("\n").filter(Boolean).map((line) => JSON.parse(line));
    const found = lines.find((line) => line.instance === id);
    if (found) return found.request;
    await new Promise((again) => setTimeout(again, 50));
  }
};
const submit = async (id) => {
  cli("submit", guest, "--id", id, "--params", JSON.stringify({ resource: `cloudflare://workers/acme/${id}` }));
  return waiting(id);
};
/** As the page's script does it, with anything in between. */
const post = (path, body) =>
  page.evaluate(
    async (path, body) => {
      const headers = { "Content-Type": "application/json" };
      const response = await fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
      return { status: response.status, ...(await response.json()) };
    },
    path,
    body,
  );
const assertion = (where, challenge, options) =>
  where.evaluate(
    async (challenge, options) => {
      const bytes = (t) => Uint8Array.from(atob(t.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
      const text = (b) => btoa(String.fromCharCode(...new Uint8Array(b))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
      try {
        const { rawId, response } = await navigator.credentials.get({
          publicKey: { challenge: bytes(challenge), rpId: "localhost", userVerification: "required", ...options },
        });
        return {
          credential: text(rawId),
          authenticator_data: text(response.authenticatorData),
          client_data_json: text(response.clientDataJSON),
          signature: text(response.signature),
        };
      } catch (error) {
        return { refused: error.name };
      }
    },
    challenge,
    options,
  );

try {
  // A demonstration first: nobody decides in earnest.
  const show = await submit("for-show");
  await page.goto(origin);
  assert.match(await text("main"), /This is a demonstration/);
  await look("demonstration");
  await page.goto(`${origin}/approvals/${show}`);
  await page.click("button[value=DENIED]");
  await page.waitForSelector("[role=alert]");
  assert.match(await text("[role=alert]"), /denial needs a reason/);
  await page.goto(page.url());
  assert.equal(new URL(page.url()).pathname, `/approvals/${show}`, "the address of a form's answer leads to the request");
  await page.type("#reason", "only for show");
  await Promise.all([page.waitForNavigation(), page.click("button[value=DENIED]", { count: 2 })]);
  assert.match(await text("main"), /DENIED.*demo: proves nothing/s);
  done("a demonstration says so, and decides as such");

  // Invite and register.
  await page.goto(link);
  await page.waitForFunction(() => document.getElementById("person").textContent !== "…");
  const person = await text("#person");
  await look("register");
  await page.click("#register button");
  await page.waitForFunction(() => !document.getElementById("done").hidden);
  const keyId = await text("pre[data-key-id]");
  await look("registered");
  assert.match(fails("deciders", "confirm", person, "0".repeat(64)), /has the id/);
  cli("deciders", "confirm", person, keyId);
  await page.goto(link);
  await page.reload();
  await said("not open");
  done(`${person} is invited, registered and confirmed as ${keyId.slice(0, 12)}…; the link is good once`);

  // Sign in.
  const first = await submit("first");
  await page.goto(`${origin}/approvals/${first}`);
  assert.equal(new URL(page.url()).pathname, "/sign-in", "a session is needed now");
  await look("sign-in");
  await Promise.all([page.waitForNavigation(), page.click("#sign-in button")]);
  assert.equal(new URL(page.url()).pathname, `/approvals/${first}`, "and leads back");
  const cookies = await browser.cookies();
  const cookie = cookies.find(({ name }) => name === "__Host-pp-session");
  assert.ok(cookie.httpOnly && cookie.secure && cookie.sameSite === "Lax");
  const begun = await post("/sign-in/challenge", {});
  const once = { nonce: begun.nonce, next: null, ...(await assertion(page, begun.challenge, {})) };
  assert.equal((await post("/sign-in", once)).status, 200);
  assert.equal((await post("/sign-in", once)).code, "challenge", "a sign-in is good once");
  done("sign-in with the passkey, once a challenge");

  // What is refused, each with its own error.
  await look("request");
  const draft = await post(`/approvals/${first}/statement`, { decision: "APPROVED" });
  await cdp.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified: false });
  const unverified = await assertion(page, draft.challenge, { userVerification: "discouraged" });
  let refused = await post(`/approvals/${first}/signature`, { statement: draft.statement, ...unverified });
  assert.match(refused.detail, /no user verification/);
  await cdp.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified: true });

  const beyond = await open();
  const beyondCdp = await beyond.createCDPSession();
  await beyondCdp.send("WebAuthn.enable");
  const other = await beyondCdp.send("WebAuthn.addVirtualAuthenticator", {
    options: { protocol: "ctap2", ctap2Version: "ctap2_1", transport: "internal", hasResidentKey: true, hasUserVerification: true, isUserVerified: true },
  });
  const { credentials } = await cdp.send("WebAuthn.getCredentials", { authenticatorId });
  await beyondCdp.send("WebAuthn.addCredential", { authenticatorId: other.authenticatorId, credential: credentials[0] });
  await beyond.goto(elsewhere);
  const phished = await assertion(beyond, draft.challenge, {});
  refused = await post(`/approvals/${first}/signature`, { statement: draft.statement, ...phished });
  assert.match(refused.detail, /was made at http:\/\/localhost:\d+, which is no origin of this key/);
  assert.equal((await assertion(page, draft.challenge, { rpId: "example.com" })).refused, "SecurityError");

  const second = await submit("second");
  const good = await assertion(page, draft.challenge, {});
  refused = await post(`/approvals/${second}/signature`, { statement: draft.statement, ...good });
  assert.match(refused.detail, /another decision was signed: digest of the request/);
  const draftOfSecond = await post(`/approvals/${second}/statement`, { decision: "APPROVED" });
  refused = await post(`/approvals/${second}/signature`, { statement: draftOfSecond.statement, ...good });
  assert.match(refused.detail, /another challenge/);
  const replies = [];
  beyond.on("response", (response) => replies.push([response.url(), response.status()]));
  await beyond.evaluate((url) => {
    const form = document.createElement("form");
    form.method = "post";
    form.action = url;
    document.body.append(form);
    form.submit();
  }, `${origin}/approvals/${first}/demo`);
  await beyond.waitForNavigation().catch(() => {});
  assert.deepEqual(replies.find(([url]) => url.endsWith("/demo"))?.[1], 403, "a form of another origin");
  await beyond.close();
  done("refused: no user verification, foreign origin, foreign rpId, another request, another statement, cross-site form");

  // Approve.
  await page.goto(`${origin}/`);
  assert.match(await text("main"), /2 requests wait for you/);
  await look("inbox");
  await page.goto(`${origin}/approvals/${first}`);
  await Promise.all([page.waitForNavigation(), page.click("[data-decision=APPROVED]")]);
  const receipt = new URL(page.url()).pathname.split("/").pop();
  assert.match(await text("main"), /signature, key, canonical form, projection/);
  await page.waitForFunction(() => /Outcome\s*succeeded/.test(document.querySelector("main").textContent));
  await look("receipt");
  refused = await post(`/approvals/${first}/signature`, { statement: draft.statement, ...good });
  assert.match(refused.detail, /does not wait|signed that/);
  for (const [name, args] of [["receipt.json", ["receipts", "export", receipt]], ["keys.json", ["keys", "export"]], ["deciders.json", ["deciders", "export"]]]) {
    writeFileSync(join(data, name), cli(...args));
  }
  const pinned = ["--keys", join(data, "keys.json"), "--deciders", join(data, "deciders.json")];
  cli("verify", join(data, "receipt.json"), ...pinned, "--require", "approved,production,opened,deciders");
  execFileSync("node", [join(root, "tests/verify.mjs"), join(data, "receipt.json"), join(data, "keys.json")]);
  done(`approved by passkey: ${receipt} verifies with pp-host verify and with the independent verifier; a replay is refused`);

  // The timeline, live, while another tab denies.
  await page.goto(`${origin}/instances/local/second`);
  const before = await page.$$eval("#facts li", (items) => items.length);
  const tab = await open();
  const tabCdp = await tab.createCDPSession();
  await tabCdp.send("WebAuthn.enable");
  const again = await tabCdp.send("WebAuthn.addVirtualAuthenticator", {
    options: { protocol: "ctap2", ctap2Version: "ctap2_1", transport: "internal", hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true },
  });
  await tabCdp.send("WebAuthn.addCredential", { authenticatorId: again.authenticatorId, credential: credentials[0] });
  await tab.goto(`${origin}/approvals/${second}`);
  await tab.click("[data-decision=DENIED]");
  await tab.waitForFunction(() => document.querySelector(".said").textContent.includes("reason"));
  await tab.type("#reason", "not on a Saturday");
  await Promise.all([tab.waitForNavigation(), tab.click("[data-decision=DENIED]")]);
  assert.match(await tab.$eval("main", (main) => main.textContent), /DENIED.*not on a Saturday/s);
  await tab.close();
  await page.waitForFunction(() => /completed/.test(document.querySelector("#facts li:last-child").textContent));
  const at = (selector) => page.$eval(`${selector} time`, (time) => time.dateTime);
  assert.equal(await at("#changed"), await at("#facts li:last-child"), "the last change is that of the last fact");
  assert.ok((await page.$$eval("#facts li", (items) => items.length)) > before);
  await look("instance");
  done("denied by passkey, with a reason; the timeline of another page shows it as it happens");

  // Many open timelines leave connections for other pages.
  const timelines = [];
  for (let count = 0; count < 8; count++) {
    const timeline = await open();
    await timeline.goto(`${origin}/instances/local/second`);
    timelines.push(timeline);
  }
  await page.bringToFront();
  await page.goto(`${origin}/`, { timeout: 10000 });
  for (const timeline of timelines) await timeline.close();
  done("eight open timelines do not hold up the inbox");

  // The inbox shows what is asked meanwhile. A page that is looked at again looks again.
  const looks = () => page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
  const meanwhile = await submit("meanwhile");
  const shown = page.waitForSelector(`a[href="/approvals/${meanwhile}"]`);
  await looks();
  await shown;
  assert.equal(await page.$eval(`a[href="/approvals/${meanwhile}"]`, (link) => link.ariaLabel), 'cloudflare.dynamic-worker.deploy on "cloudflare://workers/acme/meanwhile"');
  // A request that was withdrawn meanwhile says so, and keeps what the person has typed.
  await page.goto(`${origin}/approvals/${meanwhile}`);
  await page.focus("[data-decision=DENIED]");
  await page.keyboard.press("Enter");
  await said("needs a reason");
  assert.equal(await page.evaluate(() => document.activeElement.id), "reason", "the focus is where the error is mended");
  await page.type("#reason", "half of a sent");
  cli("withdraw", meanwhile, "--reason", "not needed");
  await looks();
  await page.waitForSelector("#changed-since");
  assert.equal(await page.$eval("#reason", (field) => field.value), "half of a sent");
  await Promise.all([page.waitForNavigation(), page.click("#changed-since a")]);
  assert.match(await text("main"), /Withdrawn by/);
  done("the inbox and a request show what has changed meanwhile, and nothing that was typed is lost");

  // The server is away for a moment.
  await page.goto(`${origin}/approvals/${await submit("away")}`);
  await page.setOfflineMode(true);
  await page.click("[data-decision=APPROVED]");
  await said("The server cannot be reached");
  await page.setOfflineMode(false);
  await Promise.all([page.waitForNavigation(), page.click("[data-decision=APPROVED]")]);
  assert.match(await text("main"), /APPROVED/);
  done("a decision that did not reach the server says so, and is made by another click");

  await page.setViewport({ width: 320, height: 700 });
  const broken = await page.$$eval("nav a", (links) => links.filter((link) => link.getClientRects().length > 1).map((link) => link.textContent));
  assert.deepEqual(broken, [], "a narrow screen breaks no word of the navigation");
  const nowhere = await page.goto(`${origin}/receipts/rcpt_688c47e8f67c1a616e03e751`);
  assert.equal(nowhere.status(), 404);
  assert.match(await text("header"), /Inbox.*Sign out/s, "an error leaves the way back");
  const mistyped = await page.goto(`${origin}/no/such/page`);
  assert.deepEqual([mistyped.status(), await text("h1")], [404, "Not found"]);
  done("a narrow screen, and pages that are not there");

  for (const [path, name] of [["/deciders", "deciders"], ["/instances", "instances"], ["/receipts", "receipts"]]) {
    await page.goto(origin + path);
    await look(name);
  }

  // A revoked key.
  const third = await submit("third");
  await page.goto(`${origin}/approvals/${third}`);
  const last = await post(`/approvals/${third}/statement`, { decision: "APPROVED" });
  const late = await assertion(page, last.challenge, {});
  cli("deciders", "revoke-key", keyId, "--reason", "lost");
  refused = await post(`/approvals/${third}/signature`, { statement: last.statement, ...late });
  assert.deepEqual([refused.status, refused.code], [401, "unauthenticated"], "its session is over");
  const challenge = await post("/sign-in/challenge", {});
  refused = await post("/sign-in", { nonce: challenge.nonce, next: null, ...(await assertion(page, challenge.challenge, {})) });
  assert.match(refused.detail, /revoked/);
  const payload = Buffer.from(last.statement).toString("base64");
  const standard = (text) => Buffer.from(text, "base64url").toString("base64");
  const ext = { authenticatorData: standard(late.authenticator_data), clientDataJSON: standard(late.client_data_json) };
  const signature = { keyid: keyId, sig: standard(late.signature), extension: { kind: "webauthn.get/v1", ext } };
  writeFileSync(join(data, "late.json"), JSON.stringify({ payloadType: "application/vnd.in-toto+json", payload, signatures: [signature] }));
  assert.match(fails("approve", third, "--envelope", join(data, "late.json")), /revoked/);
  await page.goto(`${origin}/approvals/${third}`);
  assert.equal(new URL(page.url()).pathname, "/sign-in");
  done("refused: a revoked key, on the page and on the command line, and its session");
  assert.deepEqual(errors, [], "no error of a script, and no request to anywhere else");
  console.log(`all as it has to be; pictures in ${out}`);
} finally {
  await browser.close();
  foreign.close();
  serve.kill("SIGTERM");
  await new Promise((ended) => (serve.exitCode === null ? serve.on("exit", ended) : ended()));
  rmSync(data, { recursive: true, force: true });
}
