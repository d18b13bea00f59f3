;; Two memories in one module.
(component (core module (memory 1) (memory 1))
  (instance $entry) (export "permission-protocol:tenant/entrypoint@0.2.0" (instance $entry)))
