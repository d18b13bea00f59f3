//! The world in `wit/`, as Rust.

wasmtime::component::bindgen!({
    path: "../wit",
    world: "tenant-workflow",
    imports: { default: async | trappable },
    exports: { default: async },
    with: {
        "permission-protocol:tenant/pp.receipt": super::guest::ReceiptHandle,
        "permission-protocol:tenant/workflow.attempt": super::guest::AttemptHandle,
        "permission-protocol:tenant/workflow.pending": super::guest::PendingHandle,
        "permission-protocol:tenant/workflow.step": super::guest::StepHandle,
    },
});
