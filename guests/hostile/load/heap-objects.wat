;; Objects on the runtime's heap instead of in the linear memory.
(component (core module (type (struct (field i32))))
  (instance $entry) (export "permission-protocol:tenant/entrypoint@0.2.0" (instance $entry)))
