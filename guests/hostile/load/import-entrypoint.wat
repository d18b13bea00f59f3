;; Imports the interface that workflows export.
(component (import "permission-protocol:tenant/entrypoint@0.2.0" (instance)))
