;; Imports a function that the inert interface does not have.
(component
  (import "wasi:sockets/tcp@0.2.0" (instance (export "open-raw-socket" (func))))
  (instance $entry) (export "permission-protocol:tenant/entrypoint@0.2.0" (instance $entry)))
