// A workflow in C, on wasi-libc: it builds, asks for permission, and deploys. Built by clang; see build.sh.
//
// The declarations are the world's functions as the canonical ABI lowers them: a text is a pointer and a length, a large result is
// written to the last argument. `wit-bindgen c` makes them from wit/tenant.wit; they are few, so they are written out here.

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TENANT "permission-protocol:tenant/"
#define IMPORT(interface, function) \
    __attribute__((import_module(TENANT interface "@0.2.0"), import_name(function))) extern

typedef struct { const char *at; size_t length; } text;
#define TEXT(literal) literal, sizeof(literal) - 1

// result<begun, step-error>: begun is done(text) or run(attempt).
typedef struct { uint8_t is_error; _Alignas(4) uint8_t kind; union { text done; int32_t attempt; text error[2]; }; } begun;
// result<_, step-error>
typedef struct { uint8_t is_error; _Alignas(4) uint8_t kind; text error[2]; } ended;
// result<receipt, refusal>
typedef struct { uint8_t is_error; union { int32_t receipt; uint8_t refusal; text room[5]; }; } approval;
// result<deployment, deploy-error>
typedef struct { uint8_t is_error; text id, location, sha256, receipt; } deployed;
// result<text, failure>
typedef struct { uint8_t is_error; text words[2]; } returned;

IMPORT("workflow", "[method]step.begin") void step_begin(int32_t step, const char *, size_t, begun *);
IMPORT("workflow", "[resource-drop]step") void step_drop(int32_t step);
IMPORT("workflow", "[static]attempt.complete") void attempt_complete(int32_t attempt, const char *, size_t, ended *);
IMPORT("pp", "require-approval") void require_approval(
    const char *capability, size_t, const char *resource, size_t, const char *reason, size_t, const char *evidence, size_t,
    int32_t has_artifact, const char *name, size_t, const char *bytes, size_t, approval *);
IMPORT("deploy", "deploy") void deploy(
    const char *resource, size_t, const char *name, size_t, const char *bytes, size_t, int32_t receipt, deployed *);

// The host allocates memory for its answers here.
__attribute__((export_name("cabi_realloc"))) void *cabi_realloc(void *old, size_t old_size, size_t align, size_t size) {
    (void)old_size, (void)align;
    void *made = realloc(old, size);
    if (!made && size) abort();
    return made;
}

static returned *answer(int is_error, text first, text second) {
    static returned result;
    result = (returned){is_error, {first, second}};
    return &result;
}

static returned *failed(const char *name, text message) { return answer(1, (text){name, strlen(name)}, message); }

// The step runs once. Every later run gets the recorded result.
static text build(int32_t step) {
    begun begin;
    step_begin(step, TEXT("build"), &begin);
    if (begin.is_error || begin.kind == 0) return begin.is_error ? begin.error[0] : begin.done;
    printf("built\n"), fflush(stdout);
    // Clocks and random numbers follow from the instance, and there are no files.
    static char result[80];
    FILE *file = fopen("/etc/hostname", "r");
    snprintf(result, sizeof result, "{\"built_at\":%lld,\"files\":\"%s\"}", (long long)time(NULL), file ? "reached" : "refused");
    ended end;
    attempt_complete(begin.attempt, result, strlen(result), &end);
    return (text){result, strlen(result)};
}

__attribute__((export_name(TENANT "entrypoint@0.2.0#run"))) returned *run(
    const char *payload, size_t payload_length, uint64_t timestamp_ms, const char *instance, size_t instance_length,
    const char *name, size_t name_length, int32_t step) {
    (void)payload, (void)payload_length, (void)timestamp_ms, (void)instance, (void)instance_length, (void)name, (void)name_length;
    text evidence = build(step);
    step_drop(step);
    approval approved;
    require_approval(TEXT("cloudflare.dynamic-worker.deploy"), TEXT("cloudflare://workers/acme/app"), TEXT("the first version"),
                     evidence.at, evidence.length, 1, TEXT("app.js"), TEXT("export default {}"), &approved);
    if (approved.is_error) return failed("not-approved", (text){TEXT("there is no permission")});
    deployed done;
    deploy(TEXT("cloudflare://workers/acme/app"), TEXT("app.js"), TEXT("export default {}"), approved.receipt, &done);
    if (done.is_error) return failed("not-deployed", (text){TEXT("the host did not deploy")});
    static char result[256];
    snprintf(result, sizeof result, "{\"built\":%.*s,\"deployed\":\"%.*s\"}", (int)evidence.length, evidence.at,
             (int)done.sha256.length, done.sha256.at);
    return answer(0, (text){result, strlen(result)}, (text){0});
}
