;; A memory of 64-bit addresses, which needs no guard pages to be large.
(component (core module (memory i64 1))
  (instance $entry) (export "permission-protocol:tenant/entrypoint@0.2.0" (instance $entry)))
