// Runs passkey ceremonies, and updates clocks and timelines. Everything is inserted as text, never as markup.
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
  if (!response.ok) throw new Error(answer.detail);
  return answer;
}

function sentence(error) {
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

/** Runs one ceremony: disables the buttons meanwhile, and shows the result. */
async function ceremony(form, run) {
  const said = form.querySelector(".said");
  const buttons = form.querySelectorAll("button");
  said.className = "said";
  said.textContent = "Waiting for the passkey …";
  buttons.forEach((button) => (button.disabled = true));
  try {
    location.assign(await run());
  } catch (error) {
    said.className = "said bad";
    said.textContent = sentence(error);
    buttons.forEach((button) => (button.disabled = false));
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
      return (await post("/sign-in", { nonce, next: form.dataset.next ?? null, ...signed })).next;
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
        return receipt ? `/receipts/${receipt}` : path;
      }),
    );
  }
}

/** The code is the link's fragment, which browsers do not send to a server. */
async function register(form) {
  const code = location.hash.slice(1);
  const said = form.querySelector(".said");
  const fail = (error) => {
    said.className = "said bad";
    said.textContent = sentence(error);
  };
  try {
    const { person, origin } = await post("/register/challenge", { code });
    document.getElementById("person").textContent = person;
    document.getElementById("origin").textContent = origin;
  } catch (error) {
    fail(error);
    form.querySelector("button").disabled = true;
    return;
  }
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
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
      form.hidden = true;
      document.getElementById("done").hidden = false;
      for (const part of document.querySelectorAll("[data-key-id]")) part.textContent = key_id;
      for (const part of document.querySelectorAll("[data-person]")) part.textContent = person;
    } catch (error) {
      fail(error);
    }
  });
}

function follow(list) {
  const live = document.getElementById("live");
  const source = new EventSource(list.dataset.events);
  source.addEventListener("fact", ({ data }) => {
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
  });
  addEventListener("pagehide", () => source.close());
}

/** Counts by the server's clock. The page has the server's time, which gives the offset of this machine's clock. */
function count() {
  const offset = Number(document.body.dataset.now) - Date.now();
  const tick = () => {
    for (const span of document.querySelectorAll("[data-until]")) {
      const left = Math.floor((Number(span.dataset.until) - Date.now() - offset) / 1000);
      const [hours, minutes, seconds] = [Math.floor(left / 3600), Math.floor(left / 60) % 60, left % 60];
      const pad = (number) => String(number).padStart(2, "0");
      span.textContent = left < 0 ? "lapsed" : hours ? `${hours} h ${pad(minutes)} min left` : `${minutes}:${pad(seconds)} left`;
    }
  };
  setInterval(tick, 1000);
}

for (const part of document.querySelectorAll("[data-script]")) part.hidden = false;
for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).value);
    button.textContent = "Copied";
  });
}
const on = (id, run) => {
  const part = document.getElementById(id);
  if (part) run(part);
};
on("sign-in", signIn);
on("register", register);
on("facts", follow);
const form = document.getElementById("passkey");
if (form && "passkey" in form.dataset) decide(form);
count();
