//! The world in `wit/`, as Rust.

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "tenant-workflow",
    imports: { default: async | trappable },
    exports: { default: async },
    with: {
        "permission-protocol:tenant/pp.receipt": super::ReceiptHandle,
        "permission-protocol:tenant/workflow.attempt": super::AttemptHandle,
        "permission-protocol:tenant/workflow.pending": super::PendingHandle,
        "permission-protocol:tenant/workflow.step": super::StepHandle,
    },
});

/// The world before it.
pub(crate) mod before {
    wasmtime::component::bindgen!({
        path: "../../wit/before/tenant-0.1.0.wit",
        world: "tenant-workflow",
        imports: { default: async | trappable },
        exports: { default: async },
        with: {
            "permission-protocol:tenant/pp.receipt": crate::guest::ReceiptHandle,
            "permission-protocol:tenant/workflow.attempt": crate::guest::AttemptHandle,
            "permission-protocol:tenant/workflow.step": crate::guest::StepHandle,
        },
    });
}
