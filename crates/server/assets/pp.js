// Runs passkey ceremonies, updates clocks and timelines, and shows a page anew when it has changed. Everything is inserted as text, never as
// markup.
"use strict";

const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

async function post(path, value) {
  const response = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json" },
    body: JSON.stringify(value),
    redirect: "error",
  });
  const answer = await response.json().catch(() => ({ detail: `the server answered ${response.status}` }));
  if (!response.ok) throw Object.assign(new Error(answer.detail), { code: answer.code });
  return answer;
}

function sentence(error) {
  // What a browser throws where no answer comes.
  if (error instanceof TypeError) return "The server cannot be reached. Nothing was decided by this attempt; try again.";
  if (error.name === "NotAllowedError") return "The passkey was not used: cancelled, timed out, or no user verification.";
  if (error.name === "SecurityError") return "This page's address is not one that the passkey belongs to.";
  return error.message.charAt(0).toUpperCase() + error.message.slice(1) + (/[.!?]$/.test(error.message) ? "" : ".");
}

async function assertion(challenge, rpId, credentials) {
  const credential = await navigator.credentials.get({
    publicKey: {
      challenge: bytes(challenge),
      rpId,
      allowCredentials: credentials.map((id) => ({ type: "public-key", id: bytes(id) })),
      userVerification: "required",
      timeout: 120000,
    },
  });
  return {
    credential: text(credential.rawId),
    authenticator_data: text(credential.response.authenticatorData),
    client_data_json: text(credential.response.clientDataJSON),
    signature: text(credential.response.signature),
  };
}

/** Shows an error, and a link where the person has to sign in again. */
function fail(form, error) {
  const said = form.querySelector(".said");
  said.className = "said bad";
  said.textContent = sentence(error);
  if (error.code !== "unauthenticated") return;
  const link = document.createElement("a");
  link.href = `/sign-in?next=${location.pathname}`;
  link.textContent = "Sign in";
  said.append(" ", link);
}

/** Whether a decision is under way: the page is not left meanwhile. */
let isBusy = false;

/** Runs one ceremony: disables the buttons meanwhile, and shows the result. */
async function ceremony(form, run) {
  const said = form.querySelector(".said");
  const buttons = form.querySelectorAll("button");
  const focused = document.activeElement;
  said.className = "said";
  said.textContent = "Waiting for the passkey …";
  buttons.forEach((button) => (button.disabled = true));
  form.elements.reason?.removeAttribute("aria-invalid");
  isBusy = true;
  try {
    await run();
  } catch (error) {
    isBusy = false;
    fail(form, error);
    buttons.forEach((button) => (button.disabled = false));
    // A disabled button loses the focus.
    const field = error.code === "reason-needed" ? form.elements.reason : focused;
    if (field === form.elements.reason) field?.setAttribute("aria-invalid", "true");
    field?.focus();
  }
}

function signIn(form) {
  // Each attempt asks for the passkeys of the next name: a browser looks for those of one name, and does not say that it has none.
  let attempt = 0;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    ceremony(form, async () => {
      const { nonce, challenge, rp_ids } = await post("/sign-in/challenge", {});
      const signed = await assertion(challenge, rp_ids[attempt++ % rp_ids.length], []);
      location.assign((await post("/sign-in", { nonce, next: form.dataset.next ?? null, ...signed })).next);
    });
  });
}

function decide(form) {
  const path = `/approvals/${form.dataset.request}`;
  for (const button of form.querySelectorAll("button[data-decision]")) {
    button.addEventListener("click", () =>
      ceremony(form, async () => {
        const draft = { decision: button.dataset.decision, reason: form.elements.reason.value || null };
        const { statement, challenge, rp_id, credentials } = await post(`${path}/statement`, draft);
        const signed = await assertion(challenge, rp_id, credentials);
        const { receipt } = await post(`${path}/signature`, { statement, ...signed });
        location.assign(receipt ? `/receipts/${receipt}` : path);
      }),
    );
  }
}

/** The code is the link's fragment, which browsers do not send to a server. */
async function register(form) {
  const code = location.hash.slice(1);
  try {
    const { person, origin } = await post("/register/challenge", { code });
    document.getElementById("person").textContent = person;
    document.getElementById("origin").textContent = origin;
  } catch (error) {
    fail(form, error);
    form.querySelector("button").disabled = true;
    return;
  }
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    ceremony(form, async () => {
      const { challenge, rp_id, person, algorithms } = await post("/register/challenge", { code });
      const { response } = await navigator.credentials.create({
        publicKey: {
          challenge: bytes(challenge),
          rp: { id: rp_id, name: "Permission Protocol" },
          user: { id: new TextEncoder().encode(person), name: person, displayName: person },
          pubKeyCredParams: algorithms.map((alg) => ({ type: "public-key", alg })),
          authenticatorSelection: { residentKey: "required", userVerification: "required" },
          attestation: "none",
          timeout: 120000,
        },
      });
      const { key_id } = await post("/register", {
        code,
        public_key: text(response.getPublicKey()),
        authenticator_data: text(response.getAuthenticatorData()),
        client_data_json: text(response.clientDataJSON),
      });
      history.replaceState(null, "", "/register");
      for (const part of document.querySelectorAll("[data-key-id]")) part.textContent = key_id;
      for (const part of document.querySelectorAll("[data-person]")) part.textContent = person;
      const done = document.getElementById("done");
      isBusy = false;
      form.hidden = true;
      done.hidden = false;
      done.focus();
    });
  });
}

function follow(list) {
  const live = document.getElementById("live");
  const events = new URL(list.dataset.events, location.href);
  const add = ({ data, lastEventId }) => {
    events.searchParams.set("from", Number(lastEventId) + 1);
    const fact = JSON.parse(data);
    const item = document.createElement("li");
    const time = document.createElement("time");
    const says = document.createElement("span");
    const kind = document.createElement("b");
    if (fact.tone) item.className = fact.tone;
    time.dateTime = fact.at;
    time.textContent = `${fact.at.slice(0, 19).replace("T", " ")} UTC`;
    says.className = "says";
    kind.textContent = fact.kind;
    says.append(kind, ` ${fact.text}`);
    item.append(time, says);
    if (fact.path) {
      const link = document.createElement("a");
      link.href = fact.path;
      link.textContent = fact.name;
      item.append(link);
    }
    list.append(item);
    live.textContent = `${fact.kind} ${fact.text}`;
    document.querySelector("#changed time")?.replaceWith(time.cloneNode(true));
    const pill = document.querySelector("#state .pill");
    if (fact.state && pill) {
      pill.textContent = fact.state;
      pill.className = fact.pill;
    }
  };
  let source = null;
  // A browser has few connections to a site: a page that is not looked at holds none.
  const connect = () => {
    source?.close();
    source = null;
    if (document.hidden) return;
    source = new EventSource(events);
    source.addEventListener("fact", add);
    source.onopen = () => (live.textContent = "");
    source.onerror = ({ target }) => {
      const ended = target.readyState === EventSource.CLOSED;
      live.textContent = ended ? "The timeline is not updated any more: load the page again." : "The server cannot be reached; trying again …";
    };
  };
  document.addEventListener("visibilitychange", connect);
  addEventListener("pagehide", () => source?.close());
  connect();
}

/** Shows the page anew when the server has another version of it; where the person is at work on it, says so. */
function renew(mark) {
  const look = async () => {
    if (document.hidden || isBusy) return;
    const answer = await fetch(mark.dataset.path, { headers: { Accept: "text/html" } }).catch(() => null);
    if (!answer?.ok) return;
    // A session that is over leads to the sign-in.
    const version = answer.redirected ? "" : /data-version="([0-9a-f]+)"/.exec(await answer.text())?.[1];
    if (version === mark.dataset.version || isBusy) return;
    const path = answer.redirected ? answer.url : mark.dataset.path;
    const isIdle = document.activeElement === document.body && !document.querySelector("textarea:not([readonly])")?.value;
    if (isIdle) return location.assign(path);
    if (document.getElementById("changed-since")) return;
    const note = document.createElement("p");
    const link = document.createElement("a");
    note.id = "changed-since";
    note.className = "note";
    note.setAttribute("role", "status");
    link.href = path;
    link.textContent = answer.redirected ? "Sign in again" : "Show it as it is now";
    note.append(answer.redirected ? "The session is over. " : "This page has changed since. ", link);
    document.querySelector("main h1").after(note);
  };
  // Soon after a decision, its action has been performed.
  setTimeout(look, 2000);
  setInterval(look, 30000);
  document.addEventListener("visibilitychange", look);
}

/** A form is sent once, however often its button is clicked. */
function once(form) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "sent";
    isBusy = true;
  });
  // The browser shows the page as it was left.
  addEventListener("pageshow", () => {
    delete form.dataset.sent;
    isBusy = false;
  });
}

/** Counts by the server's clock. The page has the server's time, which gives the offset of this machine's clock. */
function count() {
  const offset = Number(document.body.dataset.now) - Date.now();
  const tick = () => {
    for (const span of document.querySelectorAll("[data-until]")) {
      const left = Math.floor((Number(span.dataset.until) - Date.now() - offset) / 1000);
      const [hours, minutes, seconds] = [Math.floor(left / 3600), Math.floor(left / 60) % 60, left % 60];
      const pad = (number) => String(number).padStart(2, "0");
      if (left < 0) document.querySelectorAll("main form button").forEach((button) => (button.disabled = true));
      span.textContent = left < 0 ? "lapsed" : hours ? `${hours} h ${pad(minutes)} min left` : `${minutes}:${pad(seconds)} left`;
    }
  };
  setInterval(tick, 1000);
}

for (const part of document.querySelectorAll("[data-script]")) part.hidden = false;
for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
    const field = document.getElementById(button.dataset.copy);
    field.select();
    const copied = await navigator.clipboard.writeText(field.value).then(() => true, () => false);
    button.textContent = copied ? "Copied" : "Selected: copy it by hand";
  });
}
const on = (id, run) => {
  const part = document.getElementById(id);
  if (part) run(part);
};
on("sign-in", signIn);
on("register", register);
on("facts", follow);
const mark = document.querySelector("[data-version]");
if (mark) renew(mark);
for (const form of document.querySelectorAll("form[method=post]:not([data-passkey])")) once(form);
const form = document.getElementById("passkey");
if (form && "passkey" in form.dataset) decide(form);
count();
