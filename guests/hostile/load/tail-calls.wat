;; Tail calls, which never exhaust the stack.
(component (core module (func $again (return_call $again)))
  (instance $entry) (export "permission-protocol:tenant/entrypoint@0.2.0" (instance $entry)))
