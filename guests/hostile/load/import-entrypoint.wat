;; Wants to call a workflow itself.
(component (import "permission-protocol:tenant/entrypoint@0.2.0" (instance)))
