# Verifies the approvals in a receipt with other people's code: securesystemslib for the envelopes, and Python's own JSON and hashes.
#
#   python3 -m pip install 'securesystemslib[crypto]'
#   python3 tests/envelope.py artifact.json deciders.json
#
# artifact.json is the owner's export of a receipt, deciders.json the pinned deciders. What it checks: each envelope is signed by a key of
# the person it names, who has the role; the statement is about this request; the decision is the receipt's. Verify the receipt itself, and
# that this request is the committed one, with tests/verify.mjs.
import base64, hashlib, json, sys
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey

ADDED = {"approvals", "receiptBinding", "receiptSummary"}


def need(holds, otherwise):
    if not holds:
        raise SystemExit(otherwise)


def once(pairs):
    need(len(pairs) == len(dict(pairs)), "a key occurs twice")
    return dict(pairs)


def parse(text):
    return json.loads(text, object_pairs_hook=once)


def people_sign(request):
    """The exact text that people sign the digest of: the members of the request, as they are written, without what minting added."""
    decoder, at, kept = json.JSONDecoder(), 1, []
    while request[at] != "}":
        start = at = at + (request[at] == ",")
        name, at = decoder.raw_decode(request, at)
        _, at = decoder.raw_decode(request, at + 1)
        if name not in ADDED:
            kept.append(request[start:at])
    return "{" + ",".join(kept) + "}"


def verify(envelope, people):
    """The statement, and whose key signed it."""
    for person in people:
        for key in person["keys"]:
            public = {"public": base64.b64decode(key["publicKey"], validate=True).hex()}
            try:
                envelope.verify([SSlibKey(key["keyid"], "ed25519", "ed25519", public)], 1)
            except VerificationError:
                continue
            need(envelope.payload_type == "application/vnd.in-toto+json", "a payload of another type")
            return parse(envelope.payload), person
    raise SystemExit("no pinned decider signed this")


with open(sys.argv[1]) as artifact, open(sys.argv[2]) as deciders:
    exported, people = parse(artifact.read()), parse(deciders.read())["deciders"]
# Inside `artifact`, as the published schema has it; exports made before that have it next to it.
request = exported["artifact"].get("request_json") or exported["request_json"]
receipt = parse(base64.b64decode(exported["artifact"]["payload_bytes_b64"], validate=True))
digest = hashlib.sha256(people_sign(request).encode()).hexdigest()
for envelope in parse(request)["approvals"]:
    statement, person = verify(Envelope.from_dict(envelope), people)
    predicate = statement["predicate"]
    need(statement["predicateType"] == "urn:permission-protocol:decision:v1", "a statement of another kind")
    need(predicate["decider"] == person["id"], "signed in somebody else's name")
    need(predicate["role"] in person["roles"], "signed in a role that the person does not have")
    need([subject["digest"] for subject in statement["subject"]] == [{"sha256": digest}], "about another request")
    need(predicate["decision"] == receipt["status"], "the other decision")
    print(predicate["decision"], "by", person["id"], "as", predicate["role"], "on", predicate["requestId"])
