;; Calls that leave no stack behind, and so never end it.
(component (core module (func $again (return_call $again)))
  (instance $entry) (export "permission-protocol:tenant/entrypoint@0.2.0" (instance $entry)))
