;; A memory that threads share.
(component (core module (memory 1 2 shared))
  (instance $entry) (export "permission-protocol:tenant/entrypoint@0.2.0" (instance $entry)))
