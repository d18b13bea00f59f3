;; Wants to call a workflow itself.
(component (import "permission-protocol:tenant/entrypoint@0.1.0" (instance)))
