"""A workflow in Python: it builds, asks for permission, and deploys. Built by `componentize-py`; see build.sh."""

import json
import random
import socket
import time

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import deploy, pp
from wit_world.imports.workflow import Attempt, Begun_Done, Event, Failure, Step

CAPABILITY = "cloudflare.dynamic-worker.deploy"


def step_run(step: Step, name: str, work):
    """Runs the work once. Every later run gets the recorded result."""
    begun = step.begin(name)
    if isinstance(begun, Begun_Done):
        return json.loads(begun.value)
    result = work()
    Attempt.complete(begun.value, json.dumps(result))
    return result


def build():
    # Clocks and random numbers follow from the instance. There is no network: the error is an ordinary exception.
    network = "reached"
    try:
        with socket.socket() as connection:
            connection.connect(("192.0.2.1", 80))
    except OSError as error:
        network = f"refused: {type(error).__name__}"
    print("built")
    return {"network": network, "built_at": int(time.time()), "dice": random.randrange(6) + 1}


class Entrypoint(exports.Entrypoint):
    def run(self, event: Event, step: Step) -> str:
        params = json.loads(event.payload)
        resource = params["resource"]
        # With --stub-wasi there are no clocks, random numbers, output or network: calling one of them would end the workflow.
        built = step_run(step, "build", dict if params.get("stubbed") else build)
        artifact = pp.Artifact("app.js", b"export default {}")
        action = pp.Action(CAPABILITY, resource, "the first version", json.dumps(built), artifact)
        try:
            receipt = pp.require_approval(action)
        except Err as refused:
            raise Err(Failure("not-approved", type(refused.value).__name__))

        # The host itself records deploy as a step in the journal: it happens once.
        deployment = deploy.deploy(resource, artifact, receipt)
        return json.dumps({"built": built, "deployed": deployment.artifact_sha256})
